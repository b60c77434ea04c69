//! A memory as an item.

use std::io::{self, Read as _, Write as _};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use jibri_scaler_core::Memory;

use crate::table::{Item, KEY, number};

pub(super) const VERSION: &str = "version";
pub(super) const WRITER: &str = "writer";
/// JSON, compressed by gzip, which has a checksum.
const CONTENT: &str = "memory";

/// What an item holds, names and all.
const ITEM: usize = 400 * 1024;
/// More than all but the content takes: the key has at most 262 bytes, version and writer 20 and 16, and the names of all four 24.
const BESIDE: usize = 512;
/// No memory that fits into an item is as large as this, so that a small item can't fill the machine.
const UNPACKED: u64 = 64 * 1024 * 1024;

const ANEW: &str = "stop all replicas and delete it to start anew, which delays shrinking and forgets what is paused and kept";

/// Which save it is, of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// One more with each save.
    pub(super) version: u64,
    pub(super) writer: String,
}

pub(super) fn of(key: String, stamp: &Stamp, content: Vec<u8>) -> Item {
    let attributes = [
        (KEY, AttributeValue::S(key)),
        (VERSION, number(stamp.version)),
        (WRITER, AttributeValue::S(stamp.writer.clone())),
        (CONTENT, AttributeValue::B(Blob::new(content))),
    ];
    attributes.map(|(name, value)| (name.into(), value)).into()
}

/// Which save an item is of, and what was saved.
pub(super) fn read(item: &Item) -> io::Result<(Stamp, Memory)> {
    let attributes = || {
        let stamp = Stamp {
            version: item.get(VERSION)?.as_n().ok()?.parse().ok()?,
            writer: item.get(WRITER)?.as_s().ok()?.clone(),
        };
        Some((stamp, item.get(CONTENT)?.as_b().ok()?))
    };
    let (stamp, content) = attributes().ok_or_else(|| {
        io::Error::other(format!("the item was not written by this library: {ANEW}"))
    })?;
    Ok((stamp, unpack(content.as_ref())?))
}

/// Refuses one that is too large for an item.
pub(super) fn pack(memory: &Memory) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&serde_json::to_vec(memory)?)?;
    let packed = encoder.finish()?;
    if packed.len() > ITEM - BESIDE {
        return Err(io::Error::other(format!(
            "it takes {} KB compressed, and an item holds 400 KB: keep it in a file, or split the group",
            packed.len().div_ceil(1024)
        )));
    }
    Ok(packed)
}

fn unpack(content: &[u8]) -> io::Result<Memory> {
    let mut text = Vec::new();
    GzDecoder::new(content)
        .take(UNPACKED)
        .read_to_end(&mut text)
        .map_err(|error| io::Error::other(format!("{error}: {ANEW}")))?;
    serde_json::from_slice(&text).map_err(|error| {
        // What is JSON and no memory says itself what to do.
        if error.is_data() {
            error.into()
        } else {
            io::Error::other(format!("{error}: {ANEW}"))
        }
    })
}

#[cfg(test)]
mod tests;
