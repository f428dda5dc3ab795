//! Undoes the content encodings of a received body, within a limit.
//!
//! In: the bytes as they came, the Content-Encoding field. Out: the document's bytes, at most `limit` of them.
//! Pure, and the CPU-heavy half of a fetch: the caller runs it where it also parses, off the async threads.
//! Tolerant of the two usual lies (gzip that is not said, gzip that is said and is not there).

use std::io::{self, Read};

use super::Error;

/// More layers than this are an attack, not a publisher.
const MAX_LAYERS: usize = 3;

/// Undoes `encoding` (the Content-Encoding field, several separated by commas) and checks the outcome's size.
///
/// # Errors
///
/// `too_large` where the document would exceed `limit` bytes (nothing beyond it is ever decompressed), `decode`
/// where the encoding is unknown or the stream broken.
pub fn decode(bytes: Vec<u8>, encoding: Option<&str>, limit: u64) -> Result<Vec<u8>, Error> {
    let layers: Vec<Encoding> = named_layers(encoding.unwrap_or(""))?;
    let mut bytes = bytes;
    for layer in layers.into_iter().rev() {
        bytes = undo(layer, bytes, limit)?;
    }
    // A feed.xml.gz served as a plain file says so in its first bytes only.
    if bytes.starts_with(GZIP_MAGIC) {
        bytes = undo(Encoding::Gzip, bytes, limit)?;
    }
    if bytes.len() as u64 > limit {
        return Err(Error::TooLarge { what: "decompressed body", limit });
    }
    Ok(bytes)
}

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b, 0x08];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

fn named_layers(field: &str) -> Result<Vec<Encoding>, Error> {
    let mut layers = Vec::new();
    for name in field.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        match name.to_ascii_lowercase().as_str() {
            "identity" | "none" | "utf-8" | "utf8" => {}
            "gzip" | "x-gzip" => layers.push(Encoding::Gzip),
            "deflate" => layers.push(Encoding::Deflate),
            "br" => layers.push(Encoding::Brotli),
            "zstd" => layers.push(Encoding::Zstd),
            other => return Err(Error::Decode(format!("unknown content encoding {other:?}"))),
        }
    }
    if layers.len() > MAX_LAYERS {
        return Err(Error::Decode(format!(
            "{} content encodings on top of each other",
            layers.len()
        )));
    }
    Ok(layers)
}

fn undo(layer: Encoding, bytes: Vec<u8>, limit: u64) -> Result<Vec<u8>, Error> {
    let out = match layer {
        // Said to be gzip and is not: servers that compress twice in their configuration and once in truth.
        Encoding::Gzip if !bytes.starts_with(&GZIP_MAGIC[..2]) => return Ok(bytes),
        Encoding::Gzip => gunzip(&bytes, limit),
        // "deflate" means zlib (RFC 9110, 8.4.1.2), but raw deflate is as common.
        Encoding::Deflate if is_zlib(&bytes) => {
            collect(flate2::bufread::ZlibDecoder::new(&bytes[..]), limit, &bytes)
        }
        Encoding::Deflate => {
            collect(flate2::bufread::DeflateDecoder::new(&bytes[..]), limit, &bytes)
        }
        Encoding::Brotli => {
            collect(brotli_decompressor::Decompressor::new(&bytes[..], 16 * 1024), limit, &bytes)
        }
        Encoding::Zstd => {
            zstd::stream::read::Decoder::with_buffer(&bytes[..]).and_then(|mut decoder| {
                // 8 MiB windows are what RFC 9659 allows on the web.
                decoder.window_log_max(23)?;
                collect(decoder, limit, &bytes)
            })
        }
    };
    match out {
        Ok(out) if out.len() as u64 > limit => {
            Err(Error::TooLarge { what: "decompressed body", limit })
        }
        Ok(out) => Ok(out),
        Err(error) => Err(Error::Decode(format!("{layer:?} stream: {error}").to_lowercase())),
    }
}

/// All members of a gzip file; what follows the last one and is no member is ignored, as gzip(1) does.
fn gunzip(bytes: &[u8], limit: u64) -> io::Result<Vec<u8>> {
    let mut rest = bytes;
    let mut out = Vec::with_capacity(capacity(bytes.len(), limit));
    while rest.starts_with(&GZIP_MAGIC[..2]) {
        let room = (limit + 1).saturating_sub(out.len() as u64);
        if room == 0 {
            break;
        }
        let mut member = flate2::bufread::GzDecoder::new(rest);
        (&mut member).take(room).read_to_end(&mut out)?;
        rest = member.into_inner();
    }
    Ok(out)
}

fn is_zlib(bytes: &[u8]) -> bool {
    matches!(bytes, [method, flags, ..]
        if method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)).is_multiple_of(31))
}

/// Reads at most one byte more than `limit`: enough to know that it was exceeded.
fn collect(reader: impl Read, limit: u64, compressed: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(capacity(compressed.len(), limit));
    reader.take(limit + 1).read_to_end(&mut out)?;
    Ok(out)
}

/// Feeds compress four to six times.
fn capacity(compressed: usize, limit: u64) -> usize {
    compressed.saturating_mul(5).min(usize::try_from(limit).unwrap_or(usize::MAX)).min(4 << 20)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write};
    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = write::GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = write::ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = write::DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 3).unwrap()
    }

    /// One stored block (RFC 7932, 9.2), which is all of Brotli that can be written by hand.
    fn brotli(bytes: &[u8]) -> Vec<u8> {
        let header = (u32::try_from(bytes.len()).unwrap() - 1) << 4 | 1 << 20;
        [&header.to_le_bytes()[..3], bytes, &[3]].concat()
    }

    #[test]
    fn every_encoding_comes_back() {
        let text = "<rss>".repeat(40).into_bytes();
        for (encoding, bytes) in [
            (None, text.clone()),
            (Some("identity"), text.clone()),
            (Some("gzip"), gzip(&text)),
            (Some("X-GZIP"), gzip(&text)),
            (Some("deflate"), zlib(&text)),
            (Some("deflate"), raw_deflate(&text)),
            (Some("br"), brotli(&text)),
            (Some("zstd"), zstd(&text)),
            (Some("gzip, zstd"), zstd(&gzip(&text))),
        ] {
            assert_eq!(decode(bytes, encoding, 1_000).unwrap(), text, "{encoding:?}");
        }
    }

    #[test]
    fn the_usual_lies_are_forgiven() {
        let text = b"<rss/>".to_vec();
        assert_eq!(decode(gzip(&text), None, 100).unwrap(), text);
        assert_eq!(decode(gzip(&gzip(&text)), Some("gzip"), 100).unwrap(), text);
        assert_eq!(decode(text.clone(), Some("gzip"), 100).unwrap(), text);
        let members = [gzip(b"<rss"), gzip(b"/>"), b"junk".to_vec()].concat();
        assert_eq!(decode(members, Some("gzip"), 100).unwrap(), text);
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let zeros = vec![0; 10_000_000];
        for (encoding, bomb) in [
            ("gzip", gzip(&zeros)),
            ("deflate", zlib(&zeros)),
            ("br", brotli(&zeros[..60_000])),
            ("zstd", zstd(&zeros)),
        ] {
            assert_eq!(
                decode(bomb, Some(encoding), 50_000).unwrap_err().kind(),
                "too_large",
                "{encoding}"
            );
        }
        let nested = gzip(&gzip(&zeros));
        assert_eq!(decode(nested, Some("gzip, gzip"), 100_000).unwrap_err().kind(), "too_large");
        assert_eq!(decode(vec![b'x'; 11], None, 10).unwrap_err().kind(), "too_large");
        assert_eq!(decode(gzip(&[b'x'; 10]), Some("gzip"), 10).unwrap().len(), 10);
    }

    #[test]
    fn a_broken_or_unknown_encoding_is_named() {
        let mut cut = gzip(&b"some longer text that does not end".repeat(50));
        cut.truncate(cut.len() / 2);
        let error = decode(cut, Some("gzip"), 1_000_000).unwrap_err();
        assert_eq!(error.kind(), "decode");
        let error = decode(b"x".to_vec(), Some("sdch"), 10).unwrap_err();
        assert_eq!(error.to_string(), "cannot decode the body: unknown content encoding \"sdch\"");
        assert_eq!(decode(b"x".to_vec(), Some("br, br, br, br"), 10).unwrap_err().kind(), "decode");
    }

    proptest! {
        #[test]
        fn no_bytes_panic_or_exceed_the_limit(bytes in proptest::collection::vec(any::<u8>(), 0..300),
            encoding in prop::sample::select(vec!["", "gzip", "deflate", "br", "zstd", "br, gzip"])) {
            if let Ok(out) = decode(bytes, Some(encoding), 200) {
                prop_assert!(out.len() <= 200);
            }
        }
    }
}
