//! The bytes of a snapshot's file, plain or packed with gzip. All numbers are big-endian.
//!
//! ```text
//! file   "BRAIDSNP" | version u8 | height u64 | block's hash 32 | length u32 | manifest | (length u32 | chunk)* | 0u32
//! ```
//!
//! Manifest and chunks are those of [`braid_state::snapshot`]. No checksum is needed: everything is checked against the block's hash.

use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
    path::Path,
};

use alloy_primitives::B256;
use braid_types::{
    BlockRef,
    limits::{MAX_SNAPSHOT_CHUNK_SIZE_BYTES, MAX_SNAPSHOT_MANIFEST_SIZE_BYTES},
};

use crate::transfer::unpacked;

const MAGIC: [u8; 8] = *b"BRAIDSNP";
const VERSION: u8 = 1;

/// Why a file is no snapshot.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("it is no snapshot")]
    Magic,
    #[error("it has version {0} of the format, but {VERSION} is known here")]
    Version(u8),
    #[error("a part of it has {found} bytes, more than {limit}")]
    Size { found: usize, limit: usize },
    #[error("it goes on after its end")]
    TooLong,
    #[error("it ends before its end")]
    TooShort,
    #[error(transparent)]
    Io(io::Error),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::TooShort } else { Self::Io(error) }
    }
}

/// A file that is being written.
pub(super) struct SnapshotWriter<'t>(&'t mut dyn Write);

impl<'t> SnapshotWriter<'t> {
    /// Writes everything before the chunks.
    pub(super) fn begin(target: &'t mut dyn Write, block: BlockRef, manifest: &[u8]) -> io::Result<Self> {
        target.write_all(&MAGIC)?;
        target.write_all(&[VERSION])?;
        target.write_all(&block.height.to_be_bytes())?;
        target.write_all(block.hash.as_slice())?;
        let mut writer = Self(target);
        writer.chunk(manifest)?;
        Ok(writer)
    }

    pub(super) fn chunk(&mut self, chunk: &[u8]) -> io::Result<()> {
        let length = u32::try_from(chunk.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.0.write_all(&length.to_be_bytes())?;
        self.0.write_all(chunk)
    }

    pub(super) fn end(self) -> io::Result<()> {
        self.0.write_all(&0_u32.to_be_bytes())
    }
}

/// A file that is being read.
pub(super) struct SnapshotReader<R = Box<dyn Read>>(R);

impl SnapshotReader {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(unpacked(BufReader::new(File::open(path)?))?))
    }
}

impl<R: Read> SnapshotReader<R> {
    /// The block whose state it says it has, and the manifest.
    pub(super) fn begin(&mut self) -> Result<(BlockRef, Vec<u8>), FileError> {
        let magic: [u8; MAGIC.len()] = self.array().map_err(|error| match error {
            FileError::TooShort => FileError::Magic,
            error => error,
        })?;
        if magic != MAGIC {
            return Err(FileError::Magic);
        }
        let [version] = self.array()?;
        if version != VERSION {
            return Err(FileError::Version(version));
        }
        let (height, hash) = (u64::from_be_bytes(self.array()?), B256::from(self.array()?));
        let manifest = self.part(MAX_SNAPSHOT_MANIFEST_SIZE_BYTES)?.ok_or(FileError::TooShort)?;
        Ok((BlockRef { height, hash }, manifest))
    }

    /// The next chunk; `None` at the end.
    pub(super) fn chunk(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        let chunk = self.part(MAX_SNAPSHOT_CHUNK_SIZE_BYTES)?;
        if chunk.is_none() && self.0.read(&mut [0])? > 0 {
            return Err(FileError::TooLong);
        }
        Ok(chunk)
    }

    /// Bytes after their length; `None` if that is 0.
    fn part(&mut self, limit: usize) -> Result<Option<Vec<u8>>, FileError> {
        let found = u32::from_be_bytes(self.array()?) as usize;
        if found > limit {
            return Err(FileError::Size { found, limit });
        }
        let mut part = Vec::new();
        // Grows with what is there, not with what is said.
        (&mut self.0).take(found as u64).read_to_end(&mut part)?;
        match part.len() {
            0 if found == 0 => Ok(None),
            length if length < found => Err(FileError::TooShort),
            _ => Ok(Some(part)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FileError> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BLOCK: BlockRef = BlockRef { height: 7, hash: B256::repeat_byte(3) };

    fn written(manifest: &[u8], chunks: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = SnapshotWriter::begin(&mut bytes, BLOCK, manifest).unwrap();
        for chunk in chunks {
            writer.chunk(chunk).unwrap();
        }
        writer.end().unwrap();
        bytes
    }

    type Parts = (BlockRef, Vec<u8>, Vec<Vec<u8>>);

    fn read(bytes: &[u8]) -> Result<Parts, FileError> {
        let mut reader = SnapshotReader(bytes);
        let (block, manifest) = reader.begin()?;
        let mut chunks = Vec::new();
        while let Some(chunk) = reader.chunk()? {
            chunks.push(chunk);
        }
        Ok((block, manifest, chunks))
    }

    #[test]
    fn what_is_no_snapshot_is_named() {
        let good = written(b"manifest", &[vec![1, 2]]);
        let message = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        assert_eq!(message(b""), "it is no snapshot");
        assert_eq!(message(b"BRAIDSNq\x01"), "it is no snapshot");
        assert_eq!(message(b"BRAIDSNP\x02"), "it has version 2 of the format, but 1 is known here");
        assert_eq!(message(&[&good[..], &[0]].concat()), "it goes on after its end");
        for end in 8..good.len() {
            assert_eq!(message(&good[..end]), "it ends before its end", "{end}");
        }
        let huge = [&good[..good.len() - 4], &[255; 4]].concat();
        assert!(message(&huge).contains("4294967295 bytes, more than"), "{}", message(&huge));
    }

    proptest! {
        #[test]
        fn parts_come_as_they_went(
            manifest in prop::collection::vec(any::<u8>(), 1..50),
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..5),
        ) {
            let found = read(&written(&manifest, &chunks)).unwrap();
            prop_assert_eq!(found, (BLOCK, manifest, chunks));
        }

        #[test]
        fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let _ = read(&[&MAGIC[..], &[VERSION], &bytes].concat());
        }
    }
}
