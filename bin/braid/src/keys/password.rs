//! Where passwords come from: a file, the environment, or a prompt that shows nothing.

use std::{
    env, fs,
    io::{IsTerminal, stdin},
    path::{Path, PathBuf},
};

use clap::Args;
use eyre::{Context, bail, ensure};
use zeroize::Zeroizing;

/// Variable that holds a password.
pub(crate) const PASSWORD_VARIABLE: &str = "BRAID_PASSWORD";

/// A password, gone from memory when it is dropped.
pub(crate) type Password = Zeroizing<String>;

/// Where to take a password from.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct PasswordArgs {
    /// File whose first line is the password; without it BRAID_PASSWORD or a prompt.
    #[arg(long, env = "BRAID_PASSWORD_FILE", value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

/// The password of a file that is there.
///
/// # Errors
/// If there is none to be had.
pub(crate) fn existing(password_file: Option<&Path>, of: &Path) -> eyre::Result<Password> {
    match given(password_file)? {
        Some(password) => Ok(password),
        None => prompt(&format!("Password of {}: ", of.display())),
    }
}

/// The password for a new file: asked for twice where it is typed, and never empty.
///
/// # Errors
/// If there is none to be had, or the two are not the same.
pub(crate) fn new(password_file: Option<&Path>) -> eyre::Result<Password> {
    let password = match given(password_file)? {
        Some(password) => password,
        None => {
            let first = prompt("New password: ")?;
            ensure!(first == prompt("Again: ")?, "the two passwords are not the same");
            first
        }
    };
    ensure!(!password.is_empty(), "the password is empty");
    Ok(password)
}

fn given(password_file: Option<&Path>) -> eyre::Result<Option<Password>> {
    if let Some(path) = password_file {
        let text = fs::read_to_string(path).map(Zeroizing::new);
        let text = text.wrap_err_with(|| format!("failed to read password file {}", path.display()))?;
        return Ok(Some(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())));
    }
    match env::var(PASSWORD_VARIABLE) {
        Ok(password) => Ok(Some(Zeroizing::new(password))),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(error).wrap_err(PASSWORD_VARIABLE),
    }
}

fn prompt(text: &str) -> eyre::Result<Password> {
    if !stdin().is_terminal() {
        bail!("a password is needed: give --password-file, or set {PASSWORD_VARIABLE}, or run it in a terminal");
    }
    rpassword::prompt_password(text).map(Zeroizing::new).wrap_err("failed to read the password")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_the_file_counts() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        for (text, password) in [("secret\n", "secret"), ("secret", "secret"), ("a b \r\nnote", "a b ")] {
            fs::write(&file, text).unwrap();
            assert_eq!(new(Some(&file)).unwrap().as_str(), password);
            assert_eq!(existing(Some(&file), Path::new("key")).unwrap().as_str(), password);
        }
    }

    #[test]
    fn no_file_and_no_password_are_errors_that_say_so() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        assert!(new(Some(&file)).unwrap_err().to_string().contains("password file"));
        fs::write(&file, "\n").unwrap();
        assert!(new(Some(&file)).unwrap_err().to_string().contains("empty"));
    }
}
