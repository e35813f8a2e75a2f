//! A network between two hosts that are network namespaces: a wire between two tun devices, with a delay, losses and
//! cuts. Most kernels of test machines have no netem, and none has one that a test may use without leaving a trace.
//!
//! The near side is the namespace of the test's own thread and of whatever it starts; the far side is entered by a
//! command that is told to.

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::sched::{setns, unshare, CloneFlags};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, PipeWriter, Read, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The two hosts; nobody outside their namespaces sees them.
const NEAR: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const FAR: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const MASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);
/// No packet is longer.
const PACKET_BYTES_MAX: usize = 65_536;
/// So many packets wait in one direction; the others are lost, as in a router.
const WAITING_MAX: usize = 2_000;

/// How the wire is at this moment.
#[derive(Debug, Default)]
struct Weather {
    is_cut: AtomicBool,
    delay_ms: AtomicU64,
    /// Of a thousand packets so many are lost.
    lost: AtomicU64,
}

/// The wire, until the value goes.
pub struct Link {
    weather: Arc<Weather>,
    far: Far,
    stop: Option<PipeWriter>,
    carrier: Option<JoinHandle<()>>,
}

/// The far side of a wire.
#[derive(Clone)]
pub struct Far(Arc<File>);

impl Far {
    /// Has a command run over there.
    pub fn host(&self, command: &mut Command) {
        let far = self.0.clone();
        let enter = move || setns(&*far, CloneFlags::CLONE_NEWNET).map_err(io::Error::from);
        // SAFETY: setns(2) may be called between fork and exec, and nothing else is.
        #[allow(unsafe_code)]
        unsafe {
            command.pre_exec(enter)
        };
    }
}

impl Link {
    /// Takes this thread, and whatever it starts from now on, to the near side of a new wire.
    pub fn lay() -> Link {
        // The thread that is the far side's first ends; its namespace lives in the open file.
        let far = thread::spawn(|| host(FAR)).join().unwrap();
        let near = host(NEAR);
        let weather = Arc::<Weather>::default();
        let (stopped, stop) = io::pipe().unwrap();
        let carried = weather.clone();
        let wires = [near.0, far.0];
        let carrier = thread::spawn(move || carry(&wires, &carried, &stopped));
        Link { weather, far: Far(Arc::new(far.1)), stop: Some(stop), carrier: Some(carrier) }
    }

    pub fn far(&self) -> Far {
        self.far.clone()
    }

    /// From now on nothing gets through, in neither direction, not even a word that it does not.
    pub fn cut(&self) {
        self.weather.is_cut.store(true, Ordering::Relaxed);
    }

    pub fn mend(&self) {
        self.weather.is_cut.store(false, Ordering::Relaxed);
    }

    /// How long a packet takes, and how many of a thousand are lost.
    pub fn slow(&self, delay_ms: u64, lost: u64) {
        self.weather.delay_ms.store(delay_ms, Ordering::Relaxed);
        self.weather.lost.store(lost, Ordering::Relaxed);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.carrier.take().map(JoinHandle::join);
    }
}

/// A new namespace for this thread with one device, which has this address; the device, and the namespace.
fn host(address: Ipv4Addr) -> (File, File) {
    unshare(CloneFlags::CLONE_NEWNET).unwrap_or_else(|e| panic!("no network of its own: {e}"));
    let tun = File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")
        .unwrap_or_else(|e| panic!("/dev/net/tun: {e}"));
    let mut wire = Request::of("wire");
    wire.data[..2].copy_from_slice(&((libc::IFF_TUN | libc::IFF_NO_PI) as u16).to_ne_bytes());
    wire.ask(&tun, libc::TUNSETIFF);
    // Any socket will do.
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    for (device, address) in [("lo", Ipv4Addr::LOCALHOST), ("wire", address)] {
        Request::of(device).address(address).ask(&socket, libc::SIOCSIFADDR);
        Request::of(device).address(MASK).ask(&socket, libc::SIOCSIFNETMASK);
        let mut up = Request::of(device);
        up.data[..2].copy_from_slice(&(libc::IFF_UP as u16).to_ne_bytes());
        up.ask(&socket, libc::SIOCSIFFLAGS);
    }
    (tun, File::open("/proc/thread-self/ns/net").unwrap())
}

/// `struct ifreq` of netdevice(7).
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    data: [u8; 24],
}

impl Request {
    fn of(device: &str) -> Request {
        let mut request = Request { name: [0; libc::IFNAMSIZ], data: [0; 24] };
        request.name[..device.len()].copy_from_slice(device.as_bytes());
        request
    }

    /// With a `struct sockaddr_in`.
    fn address(mut self, address: Ipv4Addr) -> Request {
        self.data[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
        self.data[4..8].copy_from_slice(&address.octets());
        self
    }

    fn ask(mut self, of: &impl AsFd, what: libc::Ioctl) {
        let fd = of.as_fd().as_raw_fd();
        // SAFETY: the calls that are made here take a pointer to a `struct ifreq`, which this is, and keep none.
        #[allow(unsafe_code)]
        let done = unsafe { libc::ioctl(fd, what, &raw mut self) };
        assert_eq!(done, 0, "{what:x}: {}", io::Error::last_os_error());
    }
}

/// Carries what each side sends to the other, until `stopped` is closed.
fn carry(wires: &[File; 2], weather: &Weather, stopped: &io::PipeReader) {
    let mut waiting: [VecDeque<(Instant, Vec<u8>)>; 2] = Default::default();
    let mut buffer = vec![0; PACKET_BYTES_MAX];
    let mut packets: u64 = 0;
    loop {
        let now = Instant::now();
        let is_cut = weather.is_cut.load(Ordering::Relaxed);
        for (from, queue) in waiting.iter_mut().enumerate() {
            while queue.front().is_some_and(|(due, _)| *due <= now) {
                let packet = queue.pop_front().unwrap().1;
                // A full device loses it, like one that is down.
                let _ = if is_cut { Ok(0) } else { (&wires[1 - from]).write(&packet) };
            }
        }
        let next = waiting.iter().filter_map(|queue| queue.front()).map(|(due, _)| *due).min();
        let pause = next.map_or(Duration::from_secs(1), |due| due.saturating_duration_since(now));
        let pause = PollTimeout::try_from(pause + Duration::from_micros(999)).unwrap();
        let mut fds = [wires[0].as_fd(), wires[1].as_fd(), stopped.as_fd()]
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let _ = poll(&mut fds, pause);
        if fds[2].any().unwrap_or(false) {
            return;
        }
        let delay = Duration::from_millis(weather.delay_ms.load(Ordering::Relaxed));
        let lost = weather.lost.load(Ordering::Relaxed);
        for (from, queue) in waiting.iter_mut().enumerate() {
            while let Ok(count) = (&wires[from]).read(&mut buffer) {
                packets += 1;
                // Scattered, and the same ones each time.
                let is_unlucky = packets.wrapping_mul(2_654_435_761) % 1_000 < lost;
                let is_lost = is_unlucky || weather.is_cut.load(Ordering::Relaxed);
                if !is_lost && queue.len() < WAITING_MAX {
                    queue.push_back((Instant::now() + delay, buffer[..count].to_vec()));
                }
            }
        }
    }
}
