//! Key files: written once, for their owner alone, and never over another.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use eyre::{Context, bail, eyre};
use serde::{Serialize, de::DeserializeOwned};

/// Rights of a key file: its owner reads and writes.
const OWNER_ONLY: u32 = 0o600;

/// Largest key file that is read.
const MAX_BYTES: u64 = 4 << 20;

/// Writes a new file for its owner alone. After a crash it is there as a whole or empty.
///
/// # Errors
/// If something is there already, or it cannot be written.
pub(crate) fn create(path: &Path, text: &str) -> eyre::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).wrap_err_with(|| format!("failed to create {}", folder.display()))?;
    }
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            bail!("{} is there already and is not overwritten", path.display())
        }
        Err(error) => return Err(error).wrap_err_with(|| format!("failed to create {}", path.display())),
    };
    let write = |file: &mut File| file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    write(&mut file).wrap_err_with(|| format!("failed to write {}", path.display()))
}

/// Writes a value as JSON into a new file.
///
/// # Errors
/// As [`create`].
pub(crate) fn create_json<T: Serialize>(path: &Path, value: &T) -> eyre::Result<()> {
    create(path, &format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// Reads a key file. `kind` says in an error what it should have been.
///
/// # Errors
/// If it cannot be read or is something else.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path, kind: &str) -> eyre::Result<T> {
    let length = fs::metadata(path).wrap_err_with(|| format!("failed to read {}", path.display()))?.len();
    if length > MAX_BYTES {
        bail!("{} is not {kind}: it has {length} bytes", path.display());
    }
    let text = fs::read(path).wrap_err_with(|| format!("failed to read {}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| eyre!("{} is not {kind}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_its_owners_alone_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/key.json");
        create_json(&path, &[1, 2]).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, OWNER_ONLY);
        assert!(create_json(&path, &[3]).unwrap_err().to_string().contains("not overwritten"));
        assert_eq!(read_json::<Vec<u8>>(&path, "a list").unwrap(), [1, 2]);
        assert!(read_json::<String>(&path, "a text").unwrap_err().to_string().contains("is not a text"));
        assert!(read_json::<String>(dir.path(), "a text").is_err());
    }
}
