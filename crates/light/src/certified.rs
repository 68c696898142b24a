//! A header with the proof that it is final.
//!
//! A certificate makes all ancestors of its block final too, and not every block has one of its own. So the proof is the header, those
//! above it up to one with a certificate, and that certificate: `number of headers ‖ headers ‖ certificate`, the lowest header
//! first. Nodes give it as the `proof` of `braid_getCertificate`.

use alloy_primitives::B256;

use crate::{
    certificate::Finalization,
    codec::{DecodeError, Reader},
    header::{Dissemination, OrderedHeader},
};

/// Headers up to the one that has a certificate, both ends included.
pub const MAX_HEADERS: usize = 64;

/// A header and the certificate that makes it final, as decoded: nothing is checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// From the header that is to be proved up to the certified one.
    headers: Vec<OrderedHeader>,
    /// The certificate.
    finalization: Finalization,
}

/// Why headers are not those that a certificate makes final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// A header is not the one that the certificate, or the header above, names.
    #[error("the header of height {height} has digest {digest}, due is {due}")]
    Digest {
        /// Of the header.
        height: u64,
        /// Of the header.
        digest: B256,
        /// What is named.
        due: B256,
    },
    /// A header's height is not one below that of the header above.
    #[error("a header of height {height} is the parent of one of height {child}")]
    Height {
        /// Of the header.
        height: u64,
        /// Of the one above.
        child: u64,
    },
}

impl Certified {
    /// Reads headers and their certificate.
    ///
    /// # Errors
    /// If `bytes` are not at least one header, at most [`MAX_HEADERS`], and one certificate of a chain with this dissemination.
    pub fn decode(bytes: &[u8], dissemination: Dissemination) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("finality proof", bytes);
        let count = reader.length(MAX_HEADERS)?;
        if count == 0 {
            return Err(reader.error("it has no header"));
        }
        let headers = (0..count).map(|_| OrderedHeader::read(&mut reader, dissemination)).collect::<Result<_, _>>()?;
        let finalization = Finalization::read(&mut reader, dissemination)?;
        reader.end()?;
        Ok(Self { headers, finalization })
    }

    /// The certificate.
    pub const fn finalization(&self) -> &Finalization {
        &self.finalization
    }

    /// The headers from the lowest, which is to be proved, to the certified one; at least one.
    pub fn headers(&self) -> &[OrderedHeader] {
        &self.headers
    }

    /// The lowest header, if all are linked: the certificate names the highest, and each names the one below.
    ///
    /// # Errors
    /// The first link that is broken, from above.
    pub fn linked(self) -> Result<OrderedHeader, LinkError> {
        let (mut due, mut child) = (self.finalization.digest, None);
        for header in self.headers.iter().rev() {
            let (height, digest) = (header.height, header.digest);
            if digest != due {
                return Err(LinkError::Digest { height, digest, due });
            }
            match child {
                Some(child) if height.checked_add(1) != Some(child) => return Err(LinkError::Height { height, child }),
                _ => (due, child) = (header.parent, Some(height)),
            }
        }
        let Self { mut headers, .. } = self;
        Ok(headers.swap_remove(0))
    }
}
