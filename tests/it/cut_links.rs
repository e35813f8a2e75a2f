//! A network that is cut and comes back: what a run that is over had written must not arrive after what followed it.

use crate::churn::random::Random;
use crate::deletion::at_once;
use crate::harness::{eventually, until, Kernel, Link, Mirror, Plan, FAR};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// All of them are more than a kernel keeps for a connection, so that rsync waits to write, and notices.
const FILES: usize = 400;
const OLD_BYTES: u64 = 50_000;
/// These hold some of the files as a whole.
const UNSENT_BYTES: u64 = 4 * OLD_BYTES;
/// What comes so much later comes after everything else.
const LATE: Duration = Duration::from_secs(4);
/// The shortest time in which rsync gives a silent far side up.
const TIMEOUT_S: u32 = 2;
/// A connection that has been silent for so long is tried again after as long.
const RETURN: Duration = Duration::from_secs(120);

/// A mirror whose daemon is at the other end of a wire. Whatever the environment asks for, with today's rsync and kernel:
/// nothing else can take what an rsync has written.
fn over_a_wire(link: &Link) -> Plan {
    let mut plan = Plan::without_remotes();
    plan.how.kernel = Kernel::wanted().map(|_| Kernel::Listed);
    plan.variables.push(("PATH".into(), std::env::var("PATH").unwrap()));
    plan.daemon.is_of(None);
    plan.daemon.is_at(FAR, link.far());
    plan.remotes.push(plan.daemon.module("module0"));
    plan.conf.root(&plan.root, &[(FAR.to_string(), "module0".into())]);
    plan.conf.port = Some(plan.daemon.port());
    plan
}

/// Every second file gets other content, which does not compress, and the others go.
fn change(mirror: &Mirror) {
    let mut random = Random::new(1);
    at_once(mirror, |root| {
        for number in 0..FILES {
            let file = root.join(format!("file{number}"));
            let words = (0..OLD_BYTES / 8).flat_map(|_| random.bits().to_ne_bytes());
            match number % 2 {
                0 => fs::write(file, words.collect::<Vec<_>>()).unwrap(),
                _ => fs::remove_file(file).unwrap(),
            }
        }
    });
}

fn change_back(root: &Path) {
    for number in 0..FILES {
        fs::write(root.join(format!("file{number}")), "at last").unwrap();
    }
}

/// A connection of this host.
struct Connection {
    /// The bytes that it has to send, and that nobody has acknowledged.
    unsent: u64,
    /// When that is tried again.
    after: Duration,
    /// The bytes that have come and that nobody has read.
    unread: u64,
    /// Whether a process has it.
    is_held: bool,
}

fn connections() -> Vec<Connection> {
    let table = fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
    let number = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let of = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (unsent, unread) = fields[4].split_once(':').unwrap();
        let ticks = number(fields[5].split_once(':').unwrap().1);
        let after = Duration::from_millis(10 * ticks);
        let is_held = fields[9] != "0";
        Connection { unsent: number(unsent), after, unread: number(unread), is_held }
    };
    table.lines().skip(1).map(of).collect()
}

/// Those that have something to send.
fn unsent() -> Vec<Connection> {
    connections().into_iter().filter(|it| it.unsent > 0).collect()
}

/// Waits until what is unsent would come so late that it overtakes nothing.
fn wait_until_it_would_be_late() {
    eventually("it is tried seldom", || unsent().iter().all(|it| it.after > LATE));
}

/// Which files are not over there as they are here. What a far side had received half of, when it was lost, stays as long
/// as it waits for the rest.
fn wrong(mirror: &Mirror) -> Vec<OsString> {
    let tops = [&mirror.root, &mirror.remotes[0]];
    let entries = tops.iter().flat_map(|top| fs::read_dir(top).unwrap());
    let names: BTreeSet<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    let is_wrong = |name: &OsString| {
        let [here, there] = tops.map(|top| fs::read(top.join(name)).ok());
        !name.as_bytes().starts_with(b".") && here != there
    };
    names.into_iter().filter(is_wrong).collect()
}

/// Everything is right, and stays so when nothing can come any more.
fn right_for_good(mirror: &Mirror) {
    until("everything is right when the network is back", RETURN, || {
        let wrong = wrong(mirror);
        wrong.is_empty().then_some(()).ok_or_else(|| format!("{wrong:?}"))
    });
    eventually("nobody's connection has anything to send", || unsent().iter().all(|it| it.is_held));
    mirror.fence();
    assert!(wrong(mirror).is_empty(), "it was right before: {:?}", wrong(mirror));
}

#[test]
fn what_a_run_that_was_given_up_had_written_never_arrives() {
    let link = Link::lay();
    let mut plan = over_a_wire(&link);
    // Such a run notices that the wire is cut, as a standby does not.
    plan.conf.timeout_s = Some(TIMEOUT_S);
    plan.conf.standby = r#"<standby start="false"/>"#.into();
    change_back(&plan.root);
    let mirror = plan.start();
    mirror.fence();
    link.slow(50, 0);
    change(&mirror);
    eventually("it is on its way", || unsent().iter().any(|it| it.unsent > UNSENT_BYTES));
    link.cut();
    eventually("it is given up", || mirror.log().contains("everything is kept"));
    wait_until_it_would_be_late();
    change_back(&mirror.root);
    link.mend();
    right_for_good(&mirror);
}

/// The file is deleted by the rsync that waits. Its list lies in its connection when the program ends, and the file
/// is there again when the next one starts.
fn what_the_program_leaves_never_arrives(end: impl FnOnce(&mut Mirror)) {
    let link = Link::lay();
    let mut plan = over_a_wire(&link);
    // The far side says so as its first word.
    plan.daemon.every_module("timeout = 900");
    let mut mirror = plan.start();
    let [file, copy] = [&mirror.root, &mirror.remotes[0]].map(|top| top.join("file"));
    fs::write(&file, "at first").unwrap();
    eventually("it is there", || copy.exists());
    // A rehearsal of the first full sync, that, the first change, and the one that waits.
    let begun = || mirror.daemon.log().matches(" receiving file list").count();
    eventually("the far side waits", || begun() == 4);
    // Who waits for its list does not read what comes.
    eventually("one waits", || connections().iter().any(|it| it.unread > 0));
    link.cut();
    fs::remove_file(&file).unwrap();
    eventually("it has its list", || !unsent().is_empty());
    end(&mut mirror);
    wait_until_it_would_be_late();
    fs::write(&file, "at last").unwrap();
    mirror.start_again(&["-r"]);
    link.mend();
    right_for_good(&mirror);
}

#[test]
fn what_a_program_that_is_asked_to_end_has_written_never_arrives() {
    what_the_program_leaves_never_arrives(Mirror::halt_program);
}

#[test]
fn what_a_program_that_is_killed_has_written_never_arrives() {
    what_the_program_leaves_never_arrives(Mirror::kill_program);
}
