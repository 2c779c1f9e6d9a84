//! The file a record is read from: `run.jsonl` while its run goes on, and `run.jsonl.gz`, a fifth of the size, once it is
//! over. Callers name the first; a reader opens whichever is there.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

/// Where a record is once it is packed: `run.jsonl.gz` next to `run.jsonl`.
pub fn packed_path(record: &Path) -> PathBuf {
    let mut name = record.as_os_str().to_owned();
    name.push(".gz");
    name.into()
}

/// The file of a record, packed or not; `None` where there is neither.
pub fn find(record: &Path) -> Option<PathBuf> {
    [record.to_owned(), packed_path(record)].into_iter().find(|path| path.is_file())
}

/// A record that is open: its bytes are those of `run.jsonl` in both cases.
pub(crate) enum RecordFile {
    Plain(File),
    /// The second is the same file.
    Packed(MultiGzDecoder<File>, File),
}

impl RecordFile {
    pub(crate) fn open(record: &Path) -> io::Result<Self> {
        match File::open(record) {
            Err(error) if error.kind() == ErrorKind::NotFound => match File::open(packed_path(record)) {
                Ok(file) => Self::packed(file),
                // What was asked for is not there.
                Err(_) => Err(error),
            },
            file => file.map(Self::Plain),
        }
    }

    fn packed(mut file: File) -> io::Result<Self> {
        file.seek(SeekFrom::Start(0))?;
        Ok(Self::Packed(MultiGzDecoder::new(file.try_clone()?), file))
    }

    /// Whether nothing is added to it any more.
    pub(crate) const fn is_packed(&self) -> bool {
        matches!(self, Self::Packed(..))
    }

    /// Of the file as it lies on the disk.
    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        match self {
            Self::Plain(file) | Self::Packed(_, file) => file.metadata(),
        }
    }
}

impl Read for RecordFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Packed(decoder, _) => decoder.read(buffer),
        }
    }
}

impl Seek for RecordFile {
    /// To a place counted from the start; a packed file knows no other.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Plain(file) => file.seek(to),
            Self::Packed(_, file) => {
                let SeekFrom::Start(bytes) = to else { return Err(ErrorKind::Unsupported.into()) };
                *self = Self::packed(file.try_clone()?)?;
                io::copy(&mut self.by_ref().take(bytes), &mut io::sink())
            }
        }
    }
}
