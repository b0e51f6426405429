//! Which requests a proxy disturbs, and how.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::{Method, Response, header};

use super::{Body, full};

/// A request that came by.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: Instant,
    pub method: Method,
    /// With the query.
    pub path: String,
    /// The bearer token it was sent with.
    pub token: Option<String>,
    pub body: Bytes,
    /// Requests under way when it came, itself included, watches left out.
    pub in_flight: usize,
}

impl Seen {
    pub fn is_watch(&self) -> bool {
        self.path.contains("watch=true")
    }

    /// Neither a look nor a rehearsal.
    pub fn is_write(&self) -> bool {
        self.method != Method::GET && !self.path.contains("dryRun=All")
    }
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The server never sees it.
    Instead(Then),
    /// The server has done it.
    After(Then),
}

/// What the client gets to see.
#[derive(Clone, Debug)]
pub enum Then {
    Answer(Answer),
    /// `kill -9` of the run, which gets no answer.
    Kill,
    /// The connection is reset.
    Reset,
    /// So many bytes of the server's answer, then a reset.
    Cut(usize),
    /// Nothing, for ever.
    Silence,
    /// The head of the server's answer, then nothing, for ever: a connection that is half open.
    Mute,
    /// The server is not there for so long.
    Outage(Way, Duration),
}

/// How a server is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Every connection is reset, and every new one.
    Reset,
    /// Every connection is reset, and none can be made.
    Refused,
    /// Nothing comes through, on any connection, and nothing is said about it. Afterwards all comes that was sent.
    Swallowed,
}

/// An answer of the proxy's own.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<u64>,
    pub body: String,
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    pub fn body(self, body: impl Into<String>) -> Self {
        Self { body: body.into(), ..self }
    }

    pub(super) fn response(&self) -> Response<Body> {
        let mut response = Response::builder().status(self.status);
        if let Some(seconds) = self.retry_after {
            response = response.header(header::RETRY_AFTER, seconds);
        }
        response.body(full(Bytes::from(self.body.clone()))).expect("a response")
    }
}

/// Which requests, and what becomes of them. The first rule that fits decides; a request that none fits passes.
pub struct Rule {
    fits: Box<dyn Fn(&Seen) -> bool + Send>,
    skip: usize,
    times: usize,
    fault: Fault,
}

impl Rule {
    pub fn when(fits: impl Fn(&Seen) -> bool + Send + 'static, fault: Fault) -> Self {
        Self { fits: Box::new(fits), skip: 0, times: usize::MAX, fault }
    }

    /// Passes over the first so many that fit.
    pub fn skip(self, skip: usize) -> Self {
        Self { skip, ..self }
    }

    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    pub(super) fn take(&mut self, seen: &Seen) -> Option<Fault> {
        if self.times == 0 || !(self.fits)(seen) {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.times -= 1;
        Some(self.fault.clone())
    }
}
