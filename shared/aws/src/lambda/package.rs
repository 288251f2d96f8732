//! What Lambda is given to run: a zip of the shim and the user's code, the same bytes whenever it is made of the same
//! files, so that its hash names it.

use std::io::{Cursor, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::FunctionId;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// A zip and its hash.
#[derive(Clone, Debug)]
pub(super) struct Package {
    /// The zip.
    pub(super) bytes: Bytes,
    sha256: [u8; 32],
}

impl Package {
    /// Zips files of these names. Fails only for what no zip can hold.
    pub(super) fn new(mut files: Vec<(&str, Vec<u8>)>) -> zip::result::ZipResult<Self> {
        files.sort();
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            // Lambda runs the code as another user than the one that unpacks it.
            .unix_permissions(0o644);
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            zip.start_file(name, options)?;
            zip.write_all(&bytes)?;
        }
        let bytes = Bytes::from(zip.finish()?.into_inner());
        let sha256 = Sha256::digest(&bytes).into();
        Ok(Self { bytes, sha256 })
    }

    /// Its hash as Lambda says it.
    pub(super) fn sha256_base64(&self) -> String {
        STANDARD.encode(self.sha256)
    }

    /// Where it lies in the blob store.
    pub(super) fn key(&self, function_id: FunctionId) -> String {
        format!("{}/{}.zip", prefix(function_id), hex(&self.sha256))
    }
}

/// Where all packages of a function lie. Apart from the sources, which are not this module's to delete.
pub(super) fn prefix(function_id: FunctionId) -> String {
    format!("code/{function_id}/packages")
}

/// Bytes in hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn file<'a>(name: &'a str, text: &str) -> (&'a str, Vec<u8>) {
        (name, text.as_bytes().to_vec())
    }

    #[test]
    fn the_same_files_make_the_same_bytes() {
        let one = Package::new(vec![file("b.py", "b"), file("a.py", "a")]).unwrap();
        let other = Package::new(vec![file("a.py", "a"), file("b.py", "b")]).unwrap();
        assert_eq!(one.bytes, other.bytes);
        assert_ne!(one.bytes, Package::new(vec![file("a.py", "a"), file("b.py", "c")]).unwrap().bytes);
    }

    #[test]
    fn files_are_whole_and_anyone_may_read_them() {
        let package = Package::new(vec![file("main.py", "é\n"), file("shim.py", "")]).unwrap();
        let mut zip = zip::ZipArchive::new(Cursor::new(package.bytes)).unwrap();
        let mut main = zip.by_name("main.py").unwrap();
        assert_eq!(main.unix_mode().unwrap() & 0o777, 0o644);
        assert_eq!(main.last_modified().unwrap().year(), 1980);
        let mut text = String::new();
        main.read_to_string(&mut text).unwrap();
        assert_eq!(text, "é\n");
    }

    #[test]
    fn the_hash_is_the_name() {
        let package = Package::new(vec![]).unwrap();
        let id = FunctionId::from_random([7; 16]);
        assert!(ports::blobs::is_valid_key(&package.key(id)));
        assert_eq!(
            STANDARD.decode(package.sha256_base64()).unwrap(),
            Sha256::digest(&package.bytes).to_vec()
        );
    }
}
