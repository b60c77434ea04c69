use std::{
    future::poll_fn,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
};

const BACKLOG: u32 = 1024;

/// A loopback port that listens or refuses, and is nobody else's all the while.
///
/// A socket that is bound and does not listen keeps the number; connections to it are refused.
#[derive(Debug)]
pub(super) struct Port {
    address: SocketAddr,
    state: Mutex<State>,
    /// Changes when all connections of this port must end.
    hang_up: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    /// `None` when the port was given back.
    reserved: Option<TcpSocket>,
    listener: Option<TcpListener>,
    accepting: Option<Waker>,
}

impl Port {
    pub(super) fn reserve() -> io::Result<Self> {
        let reserved = socket()?;
        reserved.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self {
            address: reserved.local_addr()?,
            state: Mutex::new(State {
                reserved: Some(reserved),
                listener: None,
                accepting: None,
            }),
            hang_up: watch::Sender::new(0),
        })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens, if it does not yet. Must be called inside a runtime.
    pub(super) fn open(&self) -> io::Result<()> {
        let mut state = self.lock();
        if state.listener.is_none() {
            let listening = socket()?;
            listening.bind(self.address)?;
            state.listener = Some(listening.listen(BACKLOG)?);
            if let Some(accepting) = state.accepting.take() {
                accepting.wake();
            }
        }
        Ok(())
    }

    /// Refuses from now on, and ends all connections.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.listener = None;
        self.hang_up.send_modify(|count| *count += 1);
    }

    /// Closes the port for good and frees its number.
    pub(super) fn give_back(&self) {
        self.close();
        let mut state = self.lock();
        state.reserved = None;
        if let Some(accepting) = state.accepting.take() {
            accepting.wake();
        }
    }

    /// The next connection, and what tells when it must end; `None` when the port was given back.
    pub(super) async fn accept(&self) -> Option<(TcpStream, watch::Receiver<u64>)> {
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.reserved.is_none() {
                return Poll::Ready(None);
            }
            state.accepting = Some(cx.waker().clone());
            let Some(listener) = &state.listener else {
                return Poll::Pending;
            };
            match listener.poll_accept(cx) {
                Poll::Ready(Ok((stream, _))) => {
                    Poll::Ready(Some((stream, self.hang_up.subscribe())))
                }
                // A connection that broke before it was accepted.
                Poll::Ready(Err(_)) => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn socket() -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Lets the listening socket share the number with the one that only keeps it.
    socket.set_reuseaddr(true)?;
    // BSD sockets need this for the same.
    #[cfg(target_vendor = "apple")]
    socket.set_reuseport(true)?;
    Ok(socket)
}
