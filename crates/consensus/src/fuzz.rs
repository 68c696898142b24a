//! What the fuzz targets drive: the decoders of what peers send, each as a function from bytes to nothing that panics where a
//! promise is broken.

use commonware_codec::{Copying, Decode as _, Encode as _};

use crate::{
    block::{Block, Coded, Dissemination, Whole},
    certificates::Certified,
    rules::Rules,
    scheme::CertificateBounds,
    sync::message::Message,
};

/// An ordered block of either kind. Two spellings of one block would be two contents under one digest.
pub fn block(bytes: &[u8]) {
    block_of::<Whole>(bytes);
    block_of::<Coded>(bytes);
}

fn block_of<K: Dissemination>(bytes: &[u8]) {
    if let Ok(block) = Block::<K>::decode_cfg(Copying(bytes), &Rules::body_limits()) {
        assert_eq!(&block.encode()[..], bytes, "a block has one encoding");
    }
}

/// A finality certificate with its headers, of either kind and scheme.
pub fn certified(bytes: &[u8]) {
    certified_of::<Whole>(bytes);
    certified_of::<Coded>(bytes);
}

fn certified_of<K: Dissemination>(bytes: &[u8]) {
    if let Ok(certified) = Certified::<K>::decode_cfg(Copying(bytes), &CertificateBounds::ANY) {
        assert_eq!(&certified.encode()[..], bytes, "a certificate has one encoding");
    }
}

/// A question about state or an answer, of either kind and scheme.
pub fn sync(bytes: &[u8]) {
    sync_of::<Whole>(bytes);
    sync_of::<Coded>(bytes);
}

fn sync_of<K: Dissemination>(bytes: &[u8]) {
    if let Ok(message) = Message::<K>::decode_cfg(Copying(bytes), &CertificateBounds::ANY) {
        assert_eq!(&message.encode()[..], bytes, "a message has one encoding");
    }
}
