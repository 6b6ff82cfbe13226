//! As much of HTTP as agents on the same machine use: requests with a length or in chunks, answers as JSON or as a stream of
//! events, connections that stay open. Not known: what any of it says.

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

/// No agent sends more.
const MOST: usize = 64 << 20;

pub(super) struct Request {
    pub(super) method: String,
    /// Without what follows a `?`.
    pub(super) path: String,
    pub(super) body: Vec<u8>,
}

pub(super) struct Connection {
    reader: BufReader<TcpStream>,
    over: bool,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Connection {
        let _soon = stream.set_nodelay(true);
        Connection { reader: BufReader::new(stream), over: false }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The next request; nothing at the end of the connection.
    pub(super) fn read(&mut self) -> std::io::Result<Option<Request>> {
        let first = self.line()?;
        let mut words = first.split_whitespace();
        let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            let Some((name, value)) = line.split_once(':') else { break };
            match name {
                "content-length" => length = value.trim().parse().unwrap_or(0),
                "transfer-encoding" => chunked = value.contains("chunked"),
                "connection" => self.over = value.trim() == "close",
                _ => {}
            }
        }
        let body = if chunked { self.chunks()? } else { self.bytes(length)? };
        let path = target.split('?').next().unwrap_or_default().to_owned();
        Ok(Some(Request { method: method.to_owned(), path, body }))
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn bytes(&mut self, length: usize) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; length.min(MOST)];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn chunks(&mut self) -> std::io::Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let line = self.line()?;
            let size =
                usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16).unwrap_or(0);
            all.extend(self.bytes(size)?);
            self.line()?;
            if size == 0 || all.len() > MOST {
                return Ok(all);
            }
        }
    }

    pub(super) fn json(
        &mut self,
        status: u16,
        headers: &[(String, String)],
        body: &Value,
    ) -> std::io::Result<()> {
        let body = body.to_string();
        let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        self.send(&format!(
            "HTTP/1.1 {status} Scripted\r\ncontent-type: application/json\r\nrequest-id: scripted\r\n{more}content-length: \
             {}\r\n\r\n{body}",
            body.len()
        ))
    }

    pub(super) fn begin_events(&mut self) -> std::io::Result<()> {
        self.send(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\nrequest-id: scripted\r\n\
             transfer-encoding: chunked\r\n\r\n",
        )
    }

    pub(super) fn event(&mut self, name: Option<&str>, data: &str) -> std::io::Result<()> {
        let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
        let text = format!("{name}data: {data}\n\n");
        self.send(&format!("{:x}\r\n{text}\r\n", text.len()))
    }

    pub(super) fn end_events(&mut self) -> std::io::Result<()> {
        self.send("0\r\n\r\n")
    }

    fn send(&mut self, text: &str) -> std::io::Result<()> {
        self.reader.get_mut().write_all(text.as_bytes())
    }

    /// Without a word, as a broken line does.
    pub(super) fn cut(&mut self) -> std::io::Result<()> {
        self.over = true;
        self.reader.get_mut().shutdown(Shutdown::Both)
    }

    /// Until the other side gives up.
    pub(super) fn wait_for_the_end(&mut self) -> std::io::Result<()> {
        self.over = true;
        let mut rest = [0; 1024];
        while self.reader.get_mut().read(&mut rest)? > 0 {}
        Ok(())
    }
}

/// The whole answer to one request.
pub(super) fn ask(port: u16, path: &str, body: &Value) -> String {
    let body = body.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}
