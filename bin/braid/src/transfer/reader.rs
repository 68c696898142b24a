//! Reads a file of RLP blocks piece by piece: memory is bounded by the largest block, whatever the file says.

use std::io::{self, ErrorKind, Read};

use braid_types::limits::MAX_IMPORTED_BLOCK_SIZE_BYTES;

/// Failed to read the next block.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The file cannot be read, or ends within a block.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Where a block should begin there is something that is no RLP list.
    #[error("byte {found:#04x} does not begin a block")]
    NotAList {
        /// The byte found.
        found: u8,
    },
    /// The block says it is larger than any may be.
    #[error("block of {0} bytes is larger than the limit of {MAX_IMPORTED_BLOCK_SIZE_BYTES}")]
    TooLarge(u64),
}

/// The blocks of a file, undecoded.
#[derive(Debug)]
pub(crate) struct BlockReader<R>(R);

/// First byte of an RLP list whose length does not follow: the length is the difference to it.
const SHORT_LIST: u8 = 0xc0;
/// First byte of an RLP list after which one byte of length follows; each next value has one byte more.
const LONG_LIST: u8 = 0xf8;

impl<R: Read> BlockReader<R> {
    /// Reads blocks from `source`, which should be buffered.
    pub(crate) const fn new(source: R) -> Self {
        Self(source)
    }

    /// The RLP of the next block; `None` at the end of the file.
    fn read_block(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(first) = self.read_first()? else { return Ok(None) };
        let mut block = vec![first];
        let length = match first {
            LONG_LIST.. => {
                let bytes = usize::from(first - LONG_LIST) + 1;
                let mut length = [0; 8];
                self.0.read_exact(&mut length[8 - bytes..])?;
                block.extend_from_slice(&length[8 - bytes..]);
                u64::from_be_bytes(length)
            }
            SHORT_LIST.. => u64::from(first - SHORT_LIST),
            found => return Err(ReadError::NotAList { found }),
        };
        if length > MAX_IMPORTED_BLOCK_SIZE_BYTES {
            return Err(ReadError::TooLarge(length));
        }
        // Reading through a limit allocates as bytes come, not as much as the file claims.
        let read = (&mut self.0).take(length).read_to_end(&mut block)?;
        if u64::try_from(read).ok() != Some(length) {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the file ends within a block").into());
        }
        Ok(Some(block))
    }

    fn read_first(&mut self) -> io::Result<Option<u8>> {
        let mut first = [0; 1];
        loop {
            match self.0.read(&mut first) {
                Ok(0) => return Ok(None),
                Ok(_) => return Ok(Some(first[0])),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl<R: Read> Iterator for BlockReader<R> {
    type Item = Result<Vec<u8>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read_block().transpose()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lists(sizes: &[usize]) -> Vec<Vec<u8>> {
        let list = |size: &usize| {
            let mut list = Vec::new();
            alloy_rlp::Header { list: true, payload_length: *size }.encode(&mut list);
            list.resize(list.len() + size, 0x80);
            list
        };
        sizes.iter().map(list).collect()
    }

    #[test]
    fn a_claimed_size_is_refused_before_it_is_allocated() {
        let bytes = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert!(matches!(BlockReader::new(&bytes[..]).next(), Some(Err(ReadError::TooLarge(u64::MAX)))));
    }

    #[test]
    fn strings_and_truncated_lists_are_refused() {
        assert!(matches!(BlockReader::new(&[0x82, 1, 2][..]).next(), Some(Err(ReadError::NotAList { found: 0x82 }))));
        for truncated in [&[0xc3, 1, 2][..], &[0xf9, 1], &[0xf8, 60, 1]] {
            assert!(matches!(BlockReader::new(truncated).next(), Some(Err(ReadError::Io(_)))), "{truncated:?}");
        }
    }

    proptest! {
        #[test]
        fn concatenated_lists_come_back(sizes in prop::collection::vec(0_usize..70_000, 0..6)) {
            let lists = lists(&sizes);
            let read: Result<Vec<_>, _> = BlockReader::new(&lists.concat()[..]).collect();
            prop_assert_eq!(read.unwrap(), lists);
        }
    }
}
