//! A program in front of rsync that ends runs to a module as the test says: what takes a broken
//! network, a full disk or another rsync to happen then happens for sure, and ends when the test
//! says so.

use super::{path, Plan};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Stands before rsync in the `PATH` of one plan's program.
pub struct StandIn {
    dir: PathBuf,
}

/// How a run ends.
#[derive(Debug, Clone, Copy)]
pub enum End {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl StandIn {
    /// Puts a stand-in, which lets every run through at first, into the plan.
    pub fn before(plan: &mut Plan) -> StandIn {
        let (bin, dir) = (plan.directory("bin"), plan.directory("ends"));
        let path = path();
        // The destination is the only word with `::`; what stands behind it names the files.
        let script = format!(
            "#!/bin/sh\nfor word; do case \"$word\" in *::*) module=\"${{word##*::}}\";; esac; done\n\
             ends='{}'/\"$module\"\nif [ -e \"$ends.end\" ]; then\n\
             cat >/dev/null\ncat \"$ends.says\" >&2\necho >>\"$ends.runs\"\n\
             . \"$ends.end\"\nfi\nPATH='{path}' exec rsync \"$@\"\n",
            dir.display()
        );
        fs::write(bin.join("rsync"), script).unwrap();
        fs::set_permissions(bin.join("rsync"), fs::Permissions::from_mode(0o755)).unwrap();
        plan.variables.push(("PATH".to_string(), format!("{}:{path}", bin.display())));
        StandIn { dir }
    }

    /// From now on every run to the module says this on standard error and ends like this.
    pub fn end_runs(&self, module: &str, says: &str, end: End) {
        let script = match end {
            End::Code(code) => format!("exit {code}\n"),
            End::Signal(signal) => format!("kill -{signal} $$\n"),
        };
        fs::write(self.file(module, "says"), says).unwrap();
        fs::write(self.file(module, "new"), script).unwrap();
        // At once: a run that is under way sees all of it or nothing.
        fs::rename(self.file(module, "new"), self.file(module, "end")).unwrap();
    }

    /// Runs to the module that were ended so far.
    pub fn runs(&self, module: &str) -> usize {
        fs::read(self.file(module, "runs")).map_or(0, |lines| lines.len())
    }

    /// Lets every run through again.
    pub fn let_through(&self) {
        for entry in fs::read_dir(&self.dir).unwrap() {
            let path = entry.unwrap().path();
            if path.extension() == Some("end".as_ref()) {
                fs::remove_file(path).unwrap();
            }
        }
    }

    fn file(&self, module: &str, ending: &str) -> PathBuf {
        Path::join(&self.dir, format!("{module}.{ending}"))
    }
}
