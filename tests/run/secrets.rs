//! Secrets do not land in files or streams: sixty planted in the environment, printed by real tasks in every way that
//! programs print them, then looked for in everything that specter wrote and said.

use super::sandbox::{Sandbox, finish, scale};
use specter::exec::{MaskStream, Masker};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

const PLANTED: usize = 60;

/// Name and value of the variable number `n`, of very different shapes.
fn planted(n: usize) -> (String, String) {
    let unique = format!("{:016x}", 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(n as u64 + 1));
    let name = ["API_KEY", "SECRET", "TOKEN", "DB_PASSWORD", "CREDENTIAL", "passphrase"][n % 6];
    let value = match n % 10 {
        0 => unique[..8].to_owned(),
        1 => format!("hunter-{unique}"),
        2 => format!("https://user:pw-{unique}@host.example/path?q=1"),
        3 => format!(
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE{unique}AAAA\nBBBB+/{unique}==\n-----END RSA PRIVATE KEY-----"
        ),
        4 => format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIi{unique}.dozjgNry{unique}"),
        5 => format!("{{\"type\": \"account\", \"id\": \"a/{unique}\\\\n\"}}"),
        6 => format!("with spaces & 100% {unique} $HOME"),
        7 => format!("ünïcödé-{unique}-日本"),
        8 => format!("ghp_{unique}{unique}ABCD"),
        _ => unique.repeat(40),
    };
    (format!("{name}_{n}"), value)
}

/// What of a value must be nowhere: all of it, and each of its lines that means something by itself.
fn forbidden(value: &str) -> Vec<String> {
    let lines = value.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
    let mut all: Vec<String> = lines.filter(|line| line.len() >= 8).map(str::to_owned).collect();
    all.push(value.to_owned());
    if let Some(password) = value.split("user:").nth(1).and_then(|rest| rest.split('@').next()) {
        all.push(password.to_owned());
    }
    all
}

/// Tasks that print the variables of `names`, each in another way; the last one fails, so that its output is told of.
fn tasks(names: &[String]) -> String {
    let all = names.join(" ");
    let every = |code: &str| format!("for n in {all}; do\n  eval \"v=\\${{$n}}\"\n  {code}\n  done");
    let ways = [
        ("T001 [P] Echo", every("echo \"$v\"; echo $v >&2; printf '%s' \"$v$v\"")),
        ("T002 [P] Trace", format!("set -x\n{}", every(": \"$v\""))),
        ("T003 [P] All of the environment", "env; export -p; cat /proc/self/environ".to_owned()),
        ("T004 [P] In an address", every("echo \"https://$v:x@host/?a=$v\"; echo \"--password=$v\"")),
        ("T005 [P] In arguments", every("sh -c 'tr \"\\\\0\" \" \" < /proc/$$/cmdline' \"$v\"")),
        // One byte at a time, so that reads end at every place.
        ("T006 [P] Byte by byte", every("printf '%s\\n' \"$v\" | dd bs=1 2>/dev/null")),
        (
            "T007 [P] Among much else",
            format!(
                "head -c 200000 /dev/zero | tr '\\0' 'x'\n{}",
                every("printf '%s' \"$v\"; head -c 4093 /dev/zero | tr '\\0' 'y'")
            ),
        ),
        ("T008 Fail with it", every("echo \"error: cannot log in with $v\" >&2") + "\nexit 1"),
        ("T009 Not a command", every("\"$v\" 2>&1 || true") + "\nno-such-program \"$v\"\nexit 127"),
    ];
    ways.iter()
        .map(|(title, code)| {
            let code: String = code.lines().map(|line| format!("  {line}\n")).collect();
            format!("- [ ] {title}\n\n  ```sh run\n{code}  ```\n\n")
        })
        .collect()
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let (mut found, mut dirs) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let is_dir = entry.file_type().unwrap().is_dir();
            found.push(entry.path());
            dirs.extend(is_dir.then(|| entry.path()));
        }
    }
    found
}

#[test]
fn no_secret_of_the_environment_is_found_in_any_file_or_stream() {
    let secrets: Vec<(String, String)> = (0..PLANTED).map(planted).collect();
    let names: Vec<String> = secrets.iter().map(|(name, _)| name.clone()).collect();
    let sandbox = Sandbox::new(&tasks(&names));
    sandbox.write("../home/.config/specter/config.toml", "[env]\npass = ['*']\n");
    let run = |umask: &str, args: &[&str]| {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_specter")]);
        let set = sandbox.command::<&str>([]);
        command.args(args).current_dir(sandbox.root()).env_clear();
        command.envs(set.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.envs(secrets.iter().map(|(name, value)| (name, value)));
        command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
        let ended = finish(command.stderr(std::process::Stdio::piped()).spawn().unwrap());
        (args.join(" "), ended.stdout + &ended.stderr)
    };
    let flags = ["--yes", "--retries=1", "--parallel", "-j4", "--continue-on-error"];
    let mut said = vec![
        run("000", &[&["implement", "-v", "-v"], &flags[..]].concat()),
        run("077", &[&["resume", "--format=json"], &flags[..]].concat()),
    ];
    assert!(said[1].1.contains("attempt_finished"), "{}", said[1].1);
    for id in 1..10 {
        said.push(run("022", &["log", &format!("T00{id}")]));
        said.push(run("022", &["why", &format!("T00{id}")]));
    }
    for args in
        [&["log"][..], &["log", "--format=json"], &["status"], &["status", "--format=json"], &["plan"]]
    {
        said.push(run("022", args));
    }
    let written = files(&sandbox.root()).into_iter().filter(|path| path.is_file());
    let mut texts: Vec<(String, String)> = written
        .map(|path| {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            (path.display().to_string(), text)
        })
        .collect();
    assert!(
        texts.iter().filter(|(path, text)| path.contains("attempt-") && text.contains("***")).count() >= 9
    );
    texts.append(&mut said);
    let mut leaks = Vec::new();
    for (name, value) in &secrets {
        for part in forbidden(value) {
            let escaped = serde_json::to_string(&part).unwrap();
            let escaped = escaped.trim_matches('"');
            let places = texts.iter().filter(|(_, text)| text.contains(&part) || text.contains(escaped));
            leaks.extend(places.map(|(place, _)| format!("{name} ({part}) in {place}")));
        }
    }
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
    only_the_owner_may_look(&sandbox);
}

/// Under a umask that allows everything, and one that allows nothing.
#[track_caller]
fn only_the_owner_may_look(sandbox: &Sandbox) {
    for dir in [".specter", ".specter-state"] {
        let dir = sandbox.root().join(dir);
        for path in files(&dir).into_iter().chain([dir]) {
            let meta = path.symlink_metadata().unwrap();
            let expected = if meta.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(meta.permissions().mode() & 0o777, expected, "{}", path.display());
        }
    }
}

/// Lines as builds print them: compilers, package managers, hashes, identifiers, images and source maps in base64.
fn build_log(bytes: usize) -> Vec<u8> {
    const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut random = fastrand::Rng::with_seed(7);
    let mut log = Vec::with_capacity(bytes + 4096);
    while log.len() < bytes {
        let hex: String = (0..64).map(|_| random.digit(16)).collect();
        let (a, b) = (random.u32(..1000), random.u32(..1000));
        let line = match random.u32(..24) {
            0 => format!("   Compiling serde_json v1.0.{a} (https://github.com/serde-rs/json#{})", &hex[..8]),
            1 => format!("warning: unused variable: `key_{a}`\n  --> src/lib.rs:{a}:{b}"),
            2 => format!(
                "gcc -O2 -Wall -I/usr/include/x86_64-linux-gnu -DTOKEN_MAX={a} -c src/token_{b}.c -o obj/{hex}.o"
            ),
            3 => {
                format!("npm WARN deprecated @babel/plugin-proposal-{a}@7.{b}.0: use @babel/plugin-transform")
            }
            4 => format!("npm_package_devDependencies_eslint_plugin_import_{a}_{b}=^2.{a}.0"),
            5 => format!("sha256:{hex}  image-{a}.tar.gz"),
            6 => {
                format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18], &hex[18..30])
            }
            7 => {
                format!("resolved \"https://registry.yarnpkg.com/pkg-{a}/-/pkg-{a}-{b}.tgz#{}\"", &hex[..40])
            }
            8 => format!("  integrity sha512-{}==", base64(&mut random, BASE64, 86)),
            9 => format!("background: url(data:image/png;base64,{}=)", base64(&mut random, BASE64, 2000)),
            10 => format!(
                "//# sourceMappingURL=data:application/json;base64,eyJ2ZXJzaW9uIjozLCJz{}",
                base64(&mut random, BASE64, 9000)
            ),
            11 => format!("  ➜  Local:   http://localhost:{a}/@vite/client?t={b}"),
            12 => format!("git+ssh://git@github.com:{a}/repo.git -> FETCH_HEAD {}", &hex[..40]),
            13 => format!("test auth::token_{a}_is_refused ... ok ({b}ms)"),
            14 => format!(
                "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----",
                base64(&mut random, BASE64, 64)
            ),
            15 => format!(
                "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----",
                base64(&mut random, BASE64, 64)
            ),
            16 => format!("[{a}/{b}] task-{hex} sk-spinner-{a} desk-{b}-LAMP-{a}{b}"),
            17 => format!(
                "ASIAPACIFIC-{a} AKIARA AIzawa eyJ ghp_ xoxb- npm_config_registry=https://registry.npmjs.org/"
            ),
            18 => format!("at Object.<anonymous> (/home/ci/app/node_modules/@scope/x/index.js:{a}:{b})"),
            19 => format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} ci@host", base64(&mut random, BASE64, 43)),
            20 => {
                format!("Downloading http://mirror.example:8080/pool/main/{hex}.deb ({a} kB) user@host:/path")
            }
            21 => format!("\x1b[32m✓\x1b[0m renders the password field ({a} ms)"),
            22 => format!("Step {a}/{b} : ENV SECRET_NAME=from-vault  ---> {}", &hex[..12]),
            _ => format!("CMake Warning at cmake/Find{a}.cmake:{b} (message): {hex}"),
        };
        log.extend_from_slice(line.as_bytes());
        log.push(b'\n');
    }
    log
}

fn base64(random: &mut fastrand::Rng, alphabet: &[u8], length: usize) -> String {
    (0..length).map(|_| char::from(alphabet[random.usize(..64)])).collect()
}

#[test]
fn campaign_ordinary_build_logs_are_left_as_they_are() {
    let megabytes = scale("SPECTER_LOG_MB", 10);
    let masker = Masker::new([]);
    let log = build_log(megabytes as usize * 1_000_000);
    let mut masked = Vec::with_capacity(log.len());
    let mut stream = MaskStream::default();
    for piece in log.chunks(64 * 1024) {
        stream.push(&masker, piece, &mut |given| masked.extend_from_slice(given));
    }
    stream.finish(&masker, &mut |given| masked.extend_from_slice(given));
    let text = String::from_utf8_lossy(&masked);
    let redacted = text.matches("***").count() as u64;
    println!("{redacted} false redactions in {megabytes} MB");
    let sample: Vec<&str> = text.lines().filter(|line| line.contains("***")).take(5).collect();
    assert!(redacted <= megabytes / 10, "{redacted} in {megabytes} MB: {sample:?}");
}
