//! Docker's credential helpers: programs that are asked for one registry's login (docker/docker-credential-helpers).

use std::{
    io::{Read as _, Write as _},
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde::Deserialize;

/// A helper may ask a cloud's service, or unlock a keychain.
const PATIENCE: Duration = Duration::from_secs(15);
const LARGEST_ANSWER: u64 = 1 << 20;

/// What a helper says. `user` is `<token>` where the secret is an identity token.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer {
    pub username: String,
    pub secret: String,
}

/// Runs `docker-credential-NAME get`. None where it has no login for the server.
pub(super) fn ask(name: &str, server: &str) -> Result<Option<Answer>, String> {
    if name.contains(['/', '\\']) || name.is_empty() {
        return Err("its name is not one of a program".into());
    }
    let mut child = Command::new(format!("docker-credential-{name}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "it is not in PATH".to_owned(),
            _ => error.to_string(),
        })?;
    // a helper that does not read its input says so by its answer
    let _ = child.stdin.take().map(|mut input| input.write_all(server.as_bytes()));
    let (told, answer) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut text = String::new();
            let read = output.take(LARGEST_ANSWER).read_to_string(&mut text).map(|_| text);
            // nobody listens any more after the time is up
            let _ = told.send(read);
        });
    }
    let Ok(text) = answer.recv_timeout(PATIENCE) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("nothing came within {} s", PATIENCE.as_secs()));
    };
    let status = child.wait().map_err(|error| error.to_string())?;
    read(&text.map_err(|error| error.to_string())?, status.success())
}

/// A helper says on its standard output what went wrong; that may hold anything, so it is not repeated.
fn read(text: &str, success: bool) -> Result<Option<Answer>, String> {
    if success {
        let answer: Answer = serde_json::from_str(text).map_err(|_| "its answer cannot be read".to_owned())?;
        return Ok(Some(answer).filter(|answer| !answer.secret.is_empty()));
    }
    if text.contains("credentials not found") { Ok(None) } else { Err("it failed".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let told = |text, success| read(text, success).map(|answer| answer.map(|answer| answer.username));
        assert_eq!(told(r#"{"ServerURL":"x","Username":"u","Secret":"s"}"#, true), Ok(Some("u".into())));
        assert_eq!(told(r#"{"Username":"","Secret":""}"#, true), Ok(None));
        assert_eq!(told("credentials not found in native keychain\n", false), Ok(None));
        assert_eq!(told("boom: s3cr3t", false), Err("it failed".into()));
        assert_eq!(told("s3cr3t", true), Err("its answer cannot be read".into()));
        assert!(ask("../x", "y").is_err_and(|why| why.contains("name")));
        assert!(ask("surely-not-there", "y").is_err_and(|why| why == "it is not in PATH"));
    }
}
