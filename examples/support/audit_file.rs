//! Appends a line per tick to a file that is rotated by its size.
//!
//! Rotation is our own: `file-rotate` takes a file that it can't open for one that is written, and a log that loses lines in silence
//! proves nothing.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use jibri_scaler_core::{audit::Recorder, controller::TickReport};

/// An audit log: `FILE`, and before it `FILE.1`, `FILE.2` and so on, the older the higher.
///
/// Whatever goes wrong is said once, and nothing is held up by it. What was written is in the hands of the system, not yet on the disk:
/// a crash of the machine may lose the last lines.
#[derive(Debug)]
pub(crate) struct AuditFile {
    path: PathBuf,
    /// A file that would become larger is put aside first.
    size: u64,
    /// How many are kept beside the one that is written.
    keep: u32,
    recorder: Recorder,
    /// How many lines in a row could not be written.
    missing: u64,
}

impl AuditFile {
    /// Opens or makes the file. What a crash has left of a last line is cut off.
    pub(crate) fn open(path: &Path, size: u64, keep: u32) -> Result<Self, String> {
        let opened = open(path).and_then(|mut file| cut_half_a_line(&mut file));
        opened
            .map_err(|error| format!("audit file {}: can't be opened: {error}", path.display()))?;
        Ok(Self {
            path: path.into(),
            size,
            keep,
            recorder: Recorder::default(),
            missing: 0,
        })
    }

    /// Writes the line of this tick. Returns what is to be said about it, if anything.
    pub(crate) fn write(&mut self, report: &TickReport, policy: &str) -> Option<String> {
        let written = self.append(report, policy);
        let path = self.path.display();
        match written {
            Ok(()) if self.missing > 0 => {
                let missing = std::mem::take(&mut self.missing);
                Some(format!(
                    "audit file {path}: written again; {missing} ticks are missing"
                ))
            }
            Ok(()) => None,
            Err(error) => {
                // What follows must not rest on a line that is not there.
                self.recorder.begin_anew();
                self.missing += 1;
                (self.missing == 1).then(|| {
                    format!(
                        "audit file {path}: can't be written: {error}; the ticks go on without it, and each tries again"
                    )
                })
            }
        }
    }

    fn append(&mut self, report: &TickReport, policy: &str) -> io::Result<()> {
        // Opened anew each time, so that a file that somebody took away is made again.
        let mut file = open(&self.path)?;
        if self.missing > 0 {
            // On a full disk half a line may have been written.
            cut_half_a_line(&mut file)?;
        }
        let length = file.metadata()?.len();
        if length == 0 {
            self.recorder.begin_anew();
        }
        let mut line = self.line(report, policy)?;
        if length > 0 && length.saturating_add(line.len() as u64) > self.size {
            self.rotate()?;
            file = open(&self.path)?;
            self.recorder.begin_anew();
            line = self.line(report, policy)?;
        }
        file.write_all(&line)?;
        self.recorder.written(report, Some(policy));
        Ok(())
    }

    fn line(&self, report: &TickReport, policy: &str) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(&self.recorder.entry(report, Some(policy)))?;
        line.push(b'\n');
        Ok(line)
    }

    fn rotate(&self) -> io::Result<()> {
        for number in (1..self.keep).rev() {
            match fs::rename(self.older(number), self.older(number + 1)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
        }
        fs::rename(&self.path, self.older(1))
    }

    fn older(&self, number: u32) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{number}"));
        path.into()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path)
}

/// Cuts off what comes after the last line break.
fn cut_half_a_line(file: &mut File) -> io::Result<()> {
    const PART: u64 = 64 * 1024;
    let mut end = file.metadata()?.len();
    let length = end;
    let mut part = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(PART);
        file.seek(SeekFrom::Start(start))?;
        part.clear();
        (&*file).take(end - start).read_to_end(&mut part)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            end = start + at as u64 + 1;
            break;
        }
        end = start;
    }
    if end < length {
        file.set_len(end)?;
    }
    Ok(())
}
