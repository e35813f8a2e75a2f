//! Plugins as a whole, with their threads, against real listeners and real commands.

use super::*;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use std::io::{PipeWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// As long as no right run ever takes.
const DEADLINE: Duration = Duration::from_secs(30);

fn start(kind: PluginKind, block: &str, root: &Path, workers: usize) -> (Plugins, PipeWriter) {
    let source = format!(
        "<head><sersync><localpath watch='{0}'><remote ip='h' name='m'/></localpath>\
         <failLog path='{0}.log'/></sersync>{block}</head>",
        root.display()
    );
    let config = Config::parse(Path::new("confxml.xml"), source.as_bytes()).unwrap();
    let (stop, running) = io::pipe().unwrap();
    let plugins = Plugins::new(kind, &config, vec![root.into()], workers, stop).unwrap();
    (plugins, running)
}

fn give(plugins: &mut Plugins, paths: &[&str]) {
    plugins.give(0, paths.iter().map(|path| (RelPath::from(path.as_bytes()), Gone::No)));
}

/// Does the loop's part until everything has come back.
fn drain(plugins: &mut Plugins) {
    let end = Instant::now() + DEADLINE;
    while plugins.under_way > 0 {
        let mut fds = [PollFd::new(plugins.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::from(1_000_u16)).unwrap() > 0 {
            plugins.ended(Time(0));
        }
        assert!(Instant::now() < end, "{} are under way", plugins.under_way);
    }
}

/// A server that reads one request in each connection and answers; what it has read comes out.
fn server(
    answer: impl Fn(usize) -> &'static [u8] + Send + 'static,
) -> (u16, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let request = request(&mut stream);
            let _ = stream.write_all(answer(number));
            if tell.send(request).is_err() {
                return;
            }
        }
    });
    (port, told)
}

/// Everything, or as much as the headers say.
fn request(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            break;
        }
    }
    bytes
}

fn next(told: &mpsc::Receiver<Vec<u8>>) -> String {
    String::from_utf8(told.recv_timeout(DEADLINE).unwrap()).unwrap()
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const BUSY: &[u8] = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";

#[test]
fn each_path_is_one_connection_in_order() {
    let home = tempfile::tempdir().unwrap();
    let (port, told) = server(|_| b"");
    let block = format!(
        "<plugin name='socket'><localpath watch='{}/sub'><deshost ip='127.0.0.1' port='{port}'/>\
         </localpath></plugin>",
        home.path().display()
    );
    let (mut plugins, _running) = start(PluginKind::Socket, &block, home.path(), 10);
    give(&mut plugins, &["above", "sub", "sub/a b", "sub/c/d", "subway"]);
    drain(&mut plugins);
    let home = home.path().display();
    for expected in ["sub", "sub/a b", "sub/c/d"] {
        assert_eq!(next(&told), format!("{home}/{expected}"), "what lies beside is not told");
    }
    assert!(told.try_recv().is_err());
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("dir")).unwrap();
    let (port, told) = server(|number| if number == 0 { BUSY } else { OK });
    let block = format!(
        "<plugin name='http'><localpath watch='{}'><deshost url='http://127.0.0.1:{port}/hook' \
         port='1'/></localpath></plugin>",
        home.path().display()
    );
    let (mut plugins, _running) = start(PluginKind::Http, &block, home.path(), 10);
    give(&mut plugins, &["dir", "gone"]);
    drain(&mut plugins);
    let first = next(&told);
    assert!(first.starts_with("POST /hook HTTP/1.1\r\n"), "{first}");
    assert!(first.ends_with("%2Fdir&mask=1073742080"), "{first}");
    assert_eq!(next(&told), first);
    assert!(next(&told).ends_with("%2Fgone&mask=512"));
}

#[test]
fn the_cdn_is_asked_and_its_answer_kept_without_the_password() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("root");
    std::fs::create_dir_all(root.join("dir")).unwrap();
    let (port, told) = server(|_| b"HTTP/1.0 200 OK\r\nwhatsup: content=\"succeed\"\r\n\r\n");
    let block = format!(
        "<plugin name='refreshCDN'><localpath watch='{}'><cdninfo domainname='127.0.0.1' \
         port='{port}' username='me' passwd='s3cret'/><sendurl base='http://c'/></localpath></plugin>",
        root.display()
    );
    let (mut plugins, _running) = start(PluginKind::RefreshCdn, &block, &root, 10);
    give(&mut plugins, &["dir", "dir/a"]);
    drain(&mut plugins);
    for what in ["dirs=http://c/dir/", "urls=http://c/dir/a"] {
        let expected = format!(
            "HEAD /index.jsp?user=me&pswd=s3cret&ok=ok&{what} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
        );
        assert_eq!(next(&told), expected);
    }
    let kept = std::fs::read_to_string(home.path().join("errorlog.txt")).unwrap();
    assert_eq!(
        kept,
        "HEAD /index.jsp?user=***&pswd=***&ok=ok&dirs=http://c/dir/\n\
         whatsup: content=\"succeed\"\n\
         HEAD /index.jsp?user=***&pswd=***&ok=ok&urls=http://c/dir/a\n\
         whatsup: content=\"succeed\"\n"
    );
}

#[test]
fn commands_run_side_by_side_but_never_two_for_one_path() {
    let home = tempfile::tempdir().unwrap();
    let count = home.path().join("count");
    // Each waits for the other two: one after the other they would all run into the limit.
    let block = format!(
        "<plugin name='command'><param prefix='echo &gt;&gt;{0}; while [ $(wc -l &lt;{0}) -lt 3 ]; \
         do sleep 0.01; done; :'/></plugin>",
        count.display()
    );
    let (mut plugins, _running) = start(PluginKind::Command, &block, home.path(), 3);
    give(&mut plugins, &["a", "b", "a"]);
    assert_eq!((plugins.under_way, plugins.queue.len()), (2, 0));
    give(&mut plugins, &["a"]);
    assert_eq!((plugins.under_way, plugins.queue.len()), (2, 1), "a is on its way");
    give(&mut plugins, &["c", "d"]);
    assert_eq!((plugins.under_way, plugins.queue.len()), (3, 2), "there are three workers");
    drain(&mut plugins);
    assert_eq!(std::fs::read_to_string(count).unwrap().lines().count(), 5);
}

#[test]
fn a_dead_server_holds_up_nobody_and_the_end_waits_for_none() {
    let home = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let block = format!(
        "<plugin name='http'><localpath watch='{}'><deshost url='127.0.0.1' port='{port}'/>\
         </localpath></plugin>",
        home.path().display()
    );
    let (mut plugins, _running) = start(PluginKind::Http, &block, home.path(), 10);
    let paths: Vec<_> = (0..3 * QUEUE_PATHS_MAX).map(|number| format!("d/{number}")).collect();
    give(&mut plugins, &paths.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(plugins.under_way, 1);
    assert!(plugins.queue.len() <= QUEUE_PATHS_MAX && plugins.said_folded);
    plugins.stop();
    assert_eq!((plugins.queue.len(), plugins.is_busy()), (0, false));
    give(&mut plugins, &["late"]);
    assert!(plugins.queue.is_empty());
}

#[test]
fn a_command_is_ended_with_the_program() {
    let home = tempfile::tempdir().unwrap();
    let block = "<plugin name='command'><param prefix='exec sleep 1000; :'/></plugin>";
    let (mut plugins, running) = start(PluginKind::Command, block, home.path(), 1);
    give(&mut plugins, &["a", "b"]);
    plugins.stop();
    assert!(plugins.is_busy());
    drop(running);
    drain(&mut plugins);
    assert!(!plugins.is_busy());
}
