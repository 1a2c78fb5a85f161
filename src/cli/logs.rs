//! `logs`: what the daemon has written to its log, for people, and what it goes on to write.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};

use crate::cli::exit::Exit;
use crate::cli::terminal::{Stream, Style, Terminal};
use crate::config::Sources;
use crate::daemon::log;

/// How often it is looked whether there is more.
const EVERY: Duration = Duration::from_millis(200);

/// A line beyond it is shown in pieces.
const LONGEST: u64 = 1024 * 1024;

#[derive(Args)]
pub struct LogsArgs {
    /// Go on with what is written from now on, until Ctrl-C
    #[arg(long, short)]
    follow: bool,

    /// Begin so many lines before the end
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100)]
    lines: usize,

    /// Print the lines as they are, which is JSON
    #[arg(long)]
    json: bool,
}

/// Works whatever is wrong with the configuration: the log may say what.
pub fn run(args: &LogsArgs, sources: &Sources, terminal: &Terminal) -> anyhow::Result<Exit> {
    let path = log::path(&sources.state_dir()?);
    let show = |line: &str| -> io::Result<()> {
        let output = terminal.output;
        terminal.print_line(&if args.json { output.foreign(line).into_owned() } else { readable(line, output) })
    };
    let mut log = Log::open(path.clone());
    for line in log.last(args.lines)? {
        show(&line)?;
    }
    if log.file.is_none() {
        terminal.note(&format!("There is no log yet; it will be {}.", path.display()));
    }
    if !args.follow {
        return Ok(Exit::Done);
    }
    loop {
        for line in log.more()? {
            show(&line)?;
        }
        std::thread::sleep(EVERY);
    }
}

/// The file that is written now, however often it makes way for another.
struct Log {
    path: PathBuf,
    file: Option<OpenFile>,
}

struct OpenFile {
    inode: u64,
    reader: BufReader<File>,
    /// The beginning of a line that is not written to its end.
    begun: String,
}

impl Log {
    fn open(path: PathBuf) -> Self {
        let file = OpenFile::open(&path).ok();
        Self { path, file }
    }

    /// The last lines that there are, those of the file before it among them.
    fn last(&mut self, count: usize) -> io::Result<Vec<String>> {
        let mut lines = VecDeque::new();
        let before = self.path.with_extension("log.1");
        let mut before = OpenFile::open(&before).ok();
        for open in before.iter_mut().chain(self.file.as_mut()) {
            for line in open.lines()? {
                if lines.len() == count {
                    lines.pop_front();
                }
                if count > 0 {
                    lines.push_back(line);
                }
            }
        }
        Ok(lines.into())
    }

    /// What has come since. A file that was put away is read to its end first.
    fn more(&mut self) -> io::Result<Vec<String>> {
        let is_other =
            fs::metadata(&self.path).is_ok_and(|now| self.file.as_ref().is_none_or(|file| file.inode != now.ino()));
        let mut lines = match &mut self.file {
            Some(file) => file.lines()?,
            None => Vec::new(),
        };
        if is_other && let Ok(mut next) = OpenFile::open(&self.path) {
            lines.extend(next.lines()?);
            self.file = Some(next);
        }
        Ok(lines)
    }
}

impl OpenFile {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let inode = file.metadata()?.ino();
        Ok(Self { inode, reader: BufReader::new(file), begun: String::new() })
    }

    /// The whole lines that are there now.
    fn lines(&mut self) -> io::Result<Vec<String>> {
        // One that was cut short begins anew.
        let at = self.reader.stream_position()?;
        if self.reader.get_ref().metadata()?.len() < at {
            self.reader.seek(SeekFrom::Start(0))?;
        }
        let mut lines = Vec::new();
        loop {
            let mut bytes = Vec::new();
            if (&mut self.reader).take(LONGEST).read_until(b'\n', &mut bytes)? == 0 {
                return Ok(lines);
            }
            self.begun.push_str(&String::from_utf8_lossy(&bytes));
            if self.begun.ends_with('\n') || self.begun.len() as u64 >= LONGEST {
                lines.push(std::mem::take(&mut self.begun).trim_end_matches('\n').to_owned());
            }
        }
    }
}

/// As `time LEVEL message field=value`; what is no line of ours stays as it is.
fn readable(line: &str, stream: Stream) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(line) else { return stream.foreign(line).into_owned() };
    let mut take = |name: &str| fields.shift_remove(name).map(|value| plain(&value)).unwrap_or_default();
    let (time, level, message) = (take("timestamp"), take("level"), take("message"));
    take("target");
    let style = match level.as_str() {
        "ERROR" => Some(Style::Bad),
        "WARN" => Some(Style::Warning),
        "INFO" => Some(Style::Good),
        _ => None,
    };
    let level = format!("{level:<5}");
    let level = style.map_or(level.clone(), |style| stream.paint(style, &level));
    let time = stream.paint(Style::Dim, &clock(&time));
    format!("{time} {level} {}{}", clean(&message), stream.paint(Style::Dim, &shown(&fields)))
}

/// Without the parts of a second, which nobody reads.
fn clock(time: &str) -> String {
    let whole = time.split_once('.').map_or(time, |(whole, _)| whole);
    clean(&whole.replace('T', " "))
}

fn shown(fields: &Map<String, Value>) -> String {
    fields.iter().map(|(name, value)| format!(" {}={}", clean(name), clean(&plain(value)))).collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// On one line, and nothing that a terminal obeys.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_line_of_the_log_is_put_in_words() {
        let plain = Stream::plain();
        let line = r#"{"timestamp":"2026-03-31T10:11:12.123456Z","level":"WARN","message":"a client\nleft","pid":7,"target":"open_think","why":"it \u001b[31m"}"#;
        assert_eq!(readable(line, plain), "2026-03-31 10:11:12 WARN  a client left pid=7 why=it  [31m");
        assert_eq!(readable("no line of ours", plain), "no line of ours");
    }

    #[test]
    fn the_end_is_followed_across_files() {
        let directory = tempfile::TempDir::new().expect("a temporary directory");
        let path = directory.path().join("a.log");
        let mut log = Log::open(path.clone());
        assert!(log.last(10).expect("nothing").is_empty() && log.more().expect("nothing").is_empty());
        let write = |text: &str| {
            let mut file = File::options().create(true).append(true).open(&path).expect("a file");
            file.write_all(text.as_bytes()).expect("it is written");
        };
        write("one\ntwo\nth");
        assert_eq!(log.more().expect("lines"), ["one", "two"]);
        write("ree\n");
        assert_eq!(log.more().expect("lines"), ["three"]);
        write("four\n");
        fs::rename(&path, path.with_extension("log.1")).expect("it is put away");
        write("five\n");
        assert_eq!(log.more().expect("lines"), ["four", "five"]);
        assert_eq!(Log::open(path.clone()).last(3).expect("lines"), ["three", "four", "five"]);
        assert_eq!(Log::open(path).last(0).expect("lines"), [""; 0]);
    }
}
