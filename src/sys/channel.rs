//! A channel between threads whose queue is a pipe.
//!
//! What goes through the pipe is the address of a boxed message: eight bytes (four on 32-bit),
//! which pipes write and read in one piece. A thread waits for the queue itself, with read(2) or
//! epoll, and needs no other signal. std's channels and condition variables wait on a futex
//! operation that Linux has only from 2.6.25 on; before, their wait becomes a spin.
//!
//! The queue holds what the kernel's pipe holds (64 KiB, 8,192 messages, unless made smaller); a
//! sender waits while it is full.
#![allow(unsafe_code)]

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

const ADDRESS_BYTES: usize = size_of::<usize>();

/// Sends from any thread.
#[derive(Debug)]
pub struct Sender<T> {
    pipe: Arc<PipeWriter>,
    messages: PhantomData<fn(T)>,
}

/// Receives; any number of threads may share it, and each message goes to one of them.
#[derive(Debug)]
pub struct Receiver<T> {
    pipe: PipeReader,
    messages: PhantomData<fn() -> T>,
}

/// A new channel.
///
/// # Errors
/// No descriptor left.
pub fn channel<T: Send>() -> io::Result<(Sender<T>, Receiver<T>)> {
    let (reader, writer) = io::pipe()?;
    let sender = Sender { pipe: Arc::new(writer), messages: PhantomData };
    Ok((sender, Receiver { pipe: reader, messages: PhantomData }))
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Sender { pipe: self.pipe.clone(), messages: PhantomData }
    }
}

impl<T: Send> Sender<T> {
    /// Hands a message over; waits while the queue is full. Gives the message back when nobody
    /// receives any more.
    ///
    /// # Errors
    /// The message.
    pub fn send(&self, message: T) -> Result<(), Box<T>> {
        let address = Box::into_raw(Box::new(message));
        let bytes = address.expose_provenance().to_ne_bytes();
        // So few bytes go in one piece or not at all.
        match (&*self.pipe).write_all(&bytes) {
            Ok(()) => Ok(()),
            // SAFETY: the address did not get into the pipe, so the box is still ours alone.
            Err(_) => Err(unsafe { Box::from_raw(address) }),
        }
    }
}

impl<T: Send> Receiver<T> {
    /// Waits for the next message; `None` when there is no sender any more.
    pub fn receive(&self) -> Option<T> {
        let mut bytes = [0; ADDRESS_BYTES];
        // Writes are of this size and pages are a multiple of it: no read gives a part of it.
        (&self.pipe).read_exact(&mut bytes).ok()?;
        let address = std::ptr::with_exposed_provenance_mut::<T>(usize::from_ne_bytes(bytes));
        // SAFETY: only `send` writes to this pipe, each time the address of a box that it has given
        // up; each address is read once.
        Some(*unsafe { Box::from_raw(address) })
    }
}

impl<T> AsFd for Receiver<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

// Messages that are still in the pipe when the receiver is dropped are not freed. That happens only
// as the process ends. To free them, the drop would have to know that no sender is left.

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_once_and_in_order() {
        let (sender, receiver) = channel().unwrap();
        let thread = std::thread::spawn(move || {
            for number in 0..20_000u32 {
                sender.send(vec![number; 3]).unwrap();
            }
        });
        for number in 0..20_000 {
            assert_eq!(receiver.receive(), Some(vec![number; 3]));
        }
        assert_eq!(receiver.receive(), None, "the sender is gone");
        thread.join().unwrap();
    }

    #[test]
    fn each_message_goes_to_one_of_the_receivers() {
        let (sender, receiver) = channel::<u64>().unwrap();
        let receiver = Arc::new(receiver);
        let takers = [(); 4].map(|()| {
            let receiver = receiver.clone();
            std::thread::spawn(move || std::iter::from_fn(|| receiver.receive()).sum::<u64>())
        });
        for number in 1..=10_000 {
            sender.send(number).unwrap();
        }
        drop(sender);
        let sum: u64 = takers.map(|taker| taker.join().unwrap()).iter().sum();
        assert_eq!(sum, 10_000 * 10_001 / 2);
    }

    #[test]
    fn a_message_comes_back_when_nobody_receives() {
        let (sender, receiver) = channel().unwrap();
        drop(receiver);
        assert_eq!(sender.send("lost".to_string()), Err(Box::new("lost".to_string())));
    }
}
