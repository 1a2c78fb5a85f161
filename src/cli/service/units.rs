//! What systemd and launchd are told of the daemon, as text.

use std::path::{Path, PathBuf};

use crate::config::{Platform, Sources};

/// The units of systemd, in the order in which they are written.
pub const SOCKET: &str = "open-think.socket";
pub const SERVICE: &str = "open-think.service";

/// launchd's name for it.
pub const LABEL: &str = "org.open-think.daemon";

pub struct Unit {
    pub path: PathBuf,
    pub text: String,
}

/// None where neither of the two is at home, or there is no place for their files.
pub fn units(sources: &Sources, program: &Path) -> Option<Vec<Unit>> {
    let program = program.to_str()?;
    match sources.platform {
        Platform::Unix => {
            let directory = sources.config_home()?.join("systemd/user");
            let unit = |name: &str, text| Unit { path: directory.join(name), text };
            Some(vec![unit(SOCKET, socket()), unit(SERVICE, service(program))])
        }
        Platform::MacOs => {
            let path = sources.in_home("Library/LaunchAgents")?.join(format!("{LABEL}.plist"));
            Some(vec![Unit { path, text: plist(program) }])
        }
        Platform::Windows => None,
    }
}

/// The path is that of the daemon's own address: who starts first, systemd or a client, serves both.
fn socket() -> String {
    "\
[Unit]
Description=open-think, between editors, agents and language models (socket)

[Socket]
ListenStream=%t/open-think/default.sock
SocketMode=0600
DirectoryMode=0700

[Install]
WantedBy=sockets.target
"
    .to_owned()
}

/// It is started by whoever connects, and ends when nobody has come for long, so nothing restarts it. What would keep it
/// from gaining rights or seeing files is left out: the skills that its user configures run in it, and need both.
fn service(program: &str) -> String {
    let program = quoted(program);
    format!(
        "\
[Unit]
Description=open-think, between editors, agents and language models
Requires=open-think.socket
After=open-think.socket

[Service]
Type=notify
ExecStart={program} serve
ExecReload=/bin/kill -HUP $MAINPID
KillMode=mixed
TimeoutStopSec=45
UMask=0077
LimitCORE=0
OOMPolicy=continue
"
    )
}

/// As systemd reads a command: no specifier, no variable, one word.
fn quoted(program: &str) -> String {
    let program = program.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    if program.contains(|letter: char| letter.is_whitespace() || "'\"\\;".contains(letter)) {
        format!("\"{program}\"")
    } else {
        program
    }
}

/// It starts with the session and ends when nobody comes; after that clients start it themselves.
fn plist(program: &str) -> String {
    let program = program.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "\
<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">
<plist version=\"1.0\">
<dict>
  <key>Label</key>
  <string>{LABEL}</string>
  <key>ProgramArguments</key>
  <array>
    <string>{program}</string>
    <string>serve</string>
  </array>
  <key>RunAtLoad</key>
  <true/>
  <key>ProcessType</key>
  <string>Adaptive</string>
  <key>Umask</key>
  <integer>63</integer>
  <key>HardResourceLimits</key>
  <dict>
    <key>Core</key>
    <integer>0</integer>
  </dict>
</dict>
</plist>
"
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{quoted, units};
    use crate::config::{Platform, Sources};

    fn text(platform: Platform, program: &str) -> String {
        let sources = Sources { platform, ..Sources::of_environment([("HOME", "/h")]) };
        let units = units(&sources, Path::new(program)).expect("units");
        units.iter().map(|unit| format!("# {}\n{}\n", unit.path.display(), unit.text)).collect()
    }

    #[test]
    fn the_units_of_systemd() {
        insta::assert_snapshot!(text(Platform::Unix, "/home/a b/bin/open-think"), @r#"
        # /h/.config/systemd/user/open-think.socket
        [Unit]
        Description=open-think, between editors, agents and language models (socket)

        [Socket]
        ListenStream=%t/open-think/default.sock
        SocketMode=0600
        DirectoryMode=0700

        [Install]
        WantedBy=sockets.target

        # /h/.config/systemd/user/open-think.service
        [Unit]
        Description=open-think, between editors, agents and language models
        Requires=open-think.socket
        After=open-think.socket

        [Service]
        Type=notify
        ExecStart="/home/a b/bin/open-think" serve
        ExecReload=/bin/kill -HUP $MAINPID
        KillMode=mixed
        TimeoutStopSec=45
        UMask=0077
        LimitCORE=0
        OOMPolicy=continue
        "#);
    }

    #[test]
    fn the_agent_of_launchd() {
        insta::assert_snapshot!(text(Platform::MacOs, "/Users/a & b/open-think"), @r#"
        # /h/Library/LaunchAgents/org.open-think.daemon.plist
        <?xml version="1.0" encoding="UTF-8"?>
        <!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
        <plist version="1.0">
        <dict>
          <key>Label</key>
          <string>org.open-think.daemon</string>
          <key>ProgramArguments</key>
          <array>
            <string>/Users/a &amp; b/open-think</string>
            <string>serve</string>
          </array>
          <key>RunAtLoad</key>
          <true/>
          <key>ProcessType</key>
          <string>Adaptive</string>
          <key>Umask</key>
          <integer>63</integer>
          <key>HardResourceLimits</key>
          <dict>
            <key>Core</key>
            <integer>0</integer>
          </dict>
        </dict>
        </plist>
        "#);
    }

    #[test]
    fn a_command_is_one_word_without_specifiers() {
        assert_eq!(quoted("/usr/bin/open-think"), "/usr/bin/open-think");
        assert_eq!(quoted("/a b/100%/$x/\"y\""), "\"/a b/100%%/$$x/\\\"y\\\"\"");
    }

    #[test]
    fn elsewhere_there_are_none() {
        let sources = Sources { platform: Platform::Windows, ..Sources::of_environment([("HOME", "/h")]) };
        assert!(units(&sources, Path::new("/x")).is_none());
        let homeless = Sources { platform: Platform::Unix, ..Sources::of_environment([("A", "b")]) };
        assert!(units(&homeless, Path::new("/x")).is_none());
    }
}
