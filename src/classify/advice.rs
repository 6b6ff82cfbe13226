//! Causes and fixes for people, as specific as the message allows: hosts, ports, names and files out of its line.

use super::patterns::{About, Pattern};
use std::time::Duration;

type Lists = (Vec<String>, Vec<String>);

/// Causes and fixes for a line that `pattern` recognised.
pub(super) fn of(pattern: &Pattern, line: &str) -> Lists {
    match pattern.about {
        About::Refused => refused(line),
        About::Network => lists(
            &["the network or the other side failed for a moment"],
            &["check the network, a proxy or VPN, then `specter resume`"],
        ),
        About::Dns => dns(line),
        About::Overload => {
            lists(&["the service has trouble of its own"], &["wait a while, then `specter resume`"])
        }
        About::Rate => lists(
            &["more requests at once than the service allows"],
            &["run fewer at once with `--jobs`, or wait a while, then `specter resume`"],
        ),
        About::Usage => {
            lists(&["the plan's quota is used up"], &["wait for its reset, then `specter resume`"])
        }
        About::GitLock => lists(
            &["another git command runs in this repository", "one was killed and left its lock file"],
            &["let it end; if none runs, remove the lock file it names"],
        ),
        About::Lock => {
            lists(&["another process holds the lock"], &["let the other process end, then `specter resume`"])
        }
        About::DiskFull => lists(
            &["no room is left where the task writes"],
            &["make room (`df -h` shows where), then `specter resume`"],
        ),
        About::ReadOnly => lists(
            &["the place it writes to is mounted read-only"],
            &["write elsewhere, or mount it writable"],
        ),
        About::Memory => lists(
            &["the task needs more memory than there is"],
            &["run fewer at once with `--jobs`, or give the task more memory"],
        ),
        About::Certificate => lists(
            &["a proxy with a certificate of its own, an expired certificate, or a wrong clock"],
            &["install the certificate, or correct the clock"],
        ),
        About::Auth => lists(
            &[
                "no credentials, expired ones, or ones without the right",
                "specter withheld the variable that holds them: tasks do not get secrets unless allowed",
            ],
            &["log in or renew the token; allow its variable with `env_pass` in your own configuration"],
        ),
        About::Permission => permission(line),
        About::AddressInUse => in_use(line),
        About::NotFound => not_found(line),
        About::Module => module(line),
        About::Dependency => lists(
            &["the versions asked for contradict each other, or do not exist"],
            &["correct the versions in the manifest, then `specter resume`"],
        ),
        About::Conflict => {
            lists(&["both sides changed the same lines"], &["resolve the conflict, then `specter resume`"])
        }
        About::Syntax => lists(
            &["the code of the block, or a file it reads, is not well-formed"],
            &["correct the place it names, then `specter resume`"],
        ),
        About::MissingFile => missing_file(line),
    }
}

fn lists(causes: &[&str], fixes: &[&str]) -> Lists {
    (causes.iter().map(|s| (*s).to_owned()).collect(), fixes.iter().map(|s| (*s).to_owned()).collect())
}

fn one(cause: String, fix: String) -> Lists {
    (vec![cause], vec![fix])
}

/// What usually listens on a port, and what to call it when it is to be started.
const PORTS: &[(u16, &str, &str)] = &[
    (22, "SSH", "the SSH server"),
    (80, "HTTP", "the web server"),
    (443, "HTTPS", "the web server"),
    (1433, "SQL Server", "the database"),
    (2375, "Docker", "Docker"),
    (3000, "a development server", "the development server"),
    (3306, "MySQL", "the database"),
    (5432, "PostgreSQL", "the database"),
    (5672, "RabbitMQ", "the message broker"),
    (6379, "Redis", "Redis"),
    (8000, "a development server", "the development server"),
    (8080, "a development server", "the development server"),
    (9042, "Cassandra", "the database"),
    (9092, "Kafka", "the message broker"),
    (9200, "Elasticsearch", "Elasticsearch"),
    (11211, "memcached", "memcached"),
    (27017, "MongoDB", "the database"),
];

fn refused(line: &str) -> Lists {
    let Some((host, port)) = host_and_port(line) else {
        return lists(
            &["the service the task needs is not running"],
            &["start the service, then `specter resume`"],
        );
    };
    let place = host.map_or_else(|| format!("port {port}"), |host| format!("{host}:{port}"));
    match PORTS.iter().find(|(known, _, _)| *known == port) {
        Some((_, name, start)) => one(
            format!("nothing listens on {place} ({})", possessive(name)),
            format!("start {start}, then `specter resume`"),
        ),
        None => one(
            format!("nothing listens on {place}"),
            format!("start what should listen on {place}, then `specter resume`"),
        ),
    }
}

fn possessive(name: &str) -> String {
    let end = if name.ends_with('s') { "'" } else { "'s" };
    format!("{name}{end} port")
}

/// `127.0.0.1:5432`, `localhost:5432`, `[::1]:5432`, `localhost port 5432`, `"localhost" (127.0.0.1), port 5432`.
fn host_and_port(line: &str) -> Option<(Option<String>, u16)> {
    let words: Vec<&str> = line
        .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '(' | ')' | ',' | '`' | '/' | '@'))
        .collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let joined = words.iter().find_map(|word| {
        let word = word.trim_end_matches([':', '.', ';']);
        let (host, port) = word.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port > 0)?;
        let is_host = !host.is_empty() && (host.contains('.') || host.starts_with('[') || is_name(host));
        is_host.then(|| (Some(host.to_owned()), port))
    });
    joined.or_else(|| {
        let at = words.iter().position(|word| word.eq_ignore_ascii_case("port"))?;
        let port = words.get(at + 1)?.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok()?;
        let host = words[..at].last().filter(|host| is_name(host) || host.contains('.'));
        Some((host.map(|host| (*host).to_owned()), port))
    })
}

/// A host name, and neither a number nor a word of the sentence such as `error`.
fn is_name(word: &str) -> bool {
    word == "localhost"
        || (word.contains(['.', '-']) && word.starts_with(|c: char| c.is_ascii_alphanumeric()))
}

fn dns(line: &str) -> Lists {
    let host = ["resolve host:", "enotfound", "eai_again", "lookup"]
        .iter()
        .find_map(|before| word_after(line, before));
    match host {
        Some(host) => one(
            format!("`{host}` could not be resolved: no network, or a wrong name"),
            format!("check the network and the name `{host}`, then `specter resume`"),
        ),
        None => lists(
            &["no network, or a wrong name"],
            &["check the network and the name, then `specter resume`"],
        ),
    }
}

fn in_use(line: &str) -> Lists {
    let place = host_and_port(line).map_or_else(|| last_number(line), |(_, port)| Some(u64::from(port)));
    match place {
        Some(port) => one(
            format!("another process listens on port {port}"),
            format!("end it (`ss -ltnp 'sport = :{port}'` shows it), or use another port"),
        ),
        None => lists(&["another process listens there"], &["end it, or use another port"]),
    }
}

fn last_number(line: &str) -> Option<u64> {
    line.rsplit(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
}

fn not_found(line: &str) -> Lists {
    match missing_command(line) {
        Some(name) => one(
            format!("`{name}` is not installed, or not on PATH"),
            format!("install `{name}`, then `specter resume`"),
        ),
        None => lists(
            &["the program is not installed, or not on PATH"],
            &["install the program, then `specter resume`"],
        ),
    }
}

/// `sh: 1: foo: not found`, `bash: line 1: foo: command not found`, `zsh: command not found: foo`.
fn missing_command(line: &str) -> Option<&str> {
    let lower = line.to_ascii_lowercase();
    if let Some(at) = lower.find("command not found: ") {
        return line.get(at + "command not found: ".len()..)?.split_whitespace().next();
    }
    let at = lower.find(": command not found").or_else(|| lower.find(": not found"))?;
    let name = line.get(..at)?.rsplit(": ").next()?.trim();
    (!name.is_empty()).then_some(name)
}

fn module(line: &str) -> Lists {
    let name = quoted(line).or_else(|| word_after(line, "no module named"));
    match name {
        Some(name) => one(
            format!("`{name}` is not installed"),
            format!("install `{name}` (and add it to the manifest), then `specter resume`"),
        ),
        None => lists(
            &["something it imports is not installed"],
            &["install the dependencies, then `specter resume`"],
        ),
    }
}

fn permission(line: &str) -> Lists {
    match path_before_message(line) {
        Some(path) => one(
            format!("the user who runs specter may not use `{path}`"),
            format!("correct owner or mode of `{path}`, then `specter resume`"),
        ),
        None => lists(
            &["the user who runs specter may not do this"],
            &["correct owner or mode of the file it names, then `specter resume`"],
        ),
    }
}

fn missing_file(line: &str) -> Lists {
    let path = quoted(line).or_else(|| path_before_message(line));
    match path {
        Some(path) => one(
            format!("`{path}` does not exist: no task has made it yet, or its name is misspelt"),
            format!("make `{path}` in a task before (`depends on`), or correct the name"),
        ),
        None => lists(
            &["no task has made it yet, or its name is misspelt"],
            &["make the file in a task before (`depends on`), or correct the name"],
        ),
    }
}

/// `cat: some/file: No such file or directory`: the part in front of the message.
fn path_before_message(line: &str) -> Option<&str> {
    let lower = line.to_ascii_lowercase();
    let at = ["permission denied", "no such file or directory", "operation not permitted"]
        .iter()
        .find_map(|message| lower.find(&format!(": {message}")))?;
    let before = line.get(..at)?.rsplit(": ").next()?.trim();
    let path = quoted(before).unwrap_or(before);
    (!path.is_empty() && path.len() < 200 && !path.contains(' ')).then_some(path)
}

/// The first text in quotes or backticks.
fn quoted(line: &str) -> Option<&str> {
    let from = line.find(['\'', '"', '`', '‘'])?;
    let rest = line[from..].get(line[from..].chars().next()?.len_utf8()..)?;
    let text = &rest[..rest.find(['\'', '"', '`', '’'])?];
    (!text.is_empty() && text.len() < 200).then_some(text)
}

/// The first text in backticks.
pub(super) fn backticked(text: &str) -> Option<&str> {
    text.split('`').nth(1).filter(|name| !name.is_empty())
}

/// `before` is lower case.
fn word_after<'a>(line: &'a str, before: &str) -> Option<&'a str> {
    let at = line.to_ascii_lowercase().find(before)? + before.len();
    let word = line.get(at..)?.split_whitespace().next()?;
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    (!word.is_empty()).then_some(word)
}

/// `Retry-After: 30`, `try again in 20s`, `retry after 1m`: the last one.
pub(super) fn retry_after(tail: &str) -> Option<Duration> {
    let lower = tail.to_ascii_lowercase();
    let said = ["retry-after:", "retry after", "retry in", "try again in", "retry_after\":"];
    let last = said.iter().filter_map(|words| Some(lower.rfind(words)? + words.len())).max()?;
    let rest = lower[last..].trim_start_matches([' ', '"', ':']);
    let number: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let unit = rest[number.len()..].trim_start();
    let amount: f64 = number.trim_end_matches('.').parse().ok()?;
    let scale = match unit {
        _ if unit.starts_with("ms") || unit.starts_with("milli") => 0.001,
        _ if unit.starts_with('m') => 60.0,
        _ if unit.starts_with('h') => 3600.0,
        _ => 1.0,
    };
    // Longer waits are a quota, not a rate.
    Duration::try_from_secs_f64(amount * scale).ok().filter(|wait| *wait <= Duration::from_hours(24))
}

/// For a sentence.
pub(super) fn duration(millis: u64) -> String {
    match millis {
        0..1000 => format!("{millis} ms"),
        ms if ms < 120_000 || ms % 60_000 != 0 => format!("{} s", ms as f64 / 1000.0),
        ms => format!("{} min", ms / 60_000),
    }
}
