//! The adapter: a group of processes.

use std::{
    ffi::OsString,
    io,
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use jibri_scaler_core::{
    Group, Instance, InstanceId, Lifecycle,
    port::{Decrement, GroupControl, GroupListing, Listing, PortError, PortErrorKind},
};
use jibri_scaler_http::addresses::{ApiBases, LiveAddresses};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStdout, Command},
};

use crate::jibri::SAYS;

/// What an instance runs. It prints where its Jibri listens, on a line that holds [`SAYS`].
#[derive(Clone, Debug)]
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    pub(crate) fn new<A: Into<OsString>>(
        path: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            path: path.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
        }
    }

    /// It ends with whoever holds the child.
    fn start(&self) -> io::Result<Child> {
        Command::new(&self.path)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }
}

/// A group whose instances are processes of this machine. It must be used inside a tokio runtime.
///
/// A process that has ended by itself stays in the group, as a machine stays whose Jibri has ended, until it is terminated.
#[derive(Debug)]
pub(crate) struct ProcessGroup {
    program: Program,
    addresses: LiveAddresses,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    bounds: (u32, u32),
    desired: u32,
    /// In the order in which they were started.
    members: Vec<Member>,
    started: u64,
    /// Whether the whole group was taken away.
    deleted: bool,
}

#[derive(Debug)]
struct Member {
    id: InstanceId,
    process: Child,
    protected: bool,
    /// Whether it has said where it listens.
    up: bool,
}

impl ProcessGroup {
    /// A group of these bounds, with as few instances as it may have.
    pub(crate) fn new(program: Program, min_size: u32, max_size: u32) -> Result<Self, PortError> {
        let group = Self {
            program,
            addresses: LiveAddresses::default(),
            state: Arc::new(Mutex::new(State {
                bounds: (min_size, max_size),
                desired: min_size,
                members: Vec::new(),
                started: 0,
                deleted: false,
            })),
        };
        group.launch_missing(&mut group.state())?;
        Ok(group)
    }

    /// Where the Jibris of the group are, kept up to date.
    pub(crate) fn addresses(&self) -> LiveAddresses {
        self.addresses.clone()
    }

    /// How many instances it has.
    pub(crate) fn size(&self) -> usize {
        self.state().members.len()
    }

    /// How many of their processes run.
    pub(crate) fn running(&self) -> usize {
        let mut state = self.state();
        let runs = |member: &mut Member| matches!(member.process.try_wait(), Ok(None));
        state
            .members
            .iter_mut()
            .map(runs)
            .filter(|runs| *runs)
            .count()
    }

    /// Whether every instance that is wanted is there, and has said where it listens.
    #[cfg(test)]
    pub(crate) fn is_settled(&self) -> bool {
        let state = self.state();
        state.members.iter().all(|member| member.up)
    }

    #[cfg(test)]
    pub(crate) fn delete(&self) {
        let mut state = self.state();
        state.members.clear();
        state.deleted = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock, so that a poisoned one is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn launch_missing(&self, state: &mut State) -> Result<(), PortError> {
        while state.members.len() < state.desired as usize {
            self.launch(state)?;
        }
        Ok(())
    }

    fn launch(&self, state: &mut State) -> Result<(), PortError> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            let what = format!("start {}", self.program.path.display());
            PortError::new(PortErrorKind::Transient, what).with_source(error)
        };
        let mut process = self.program.start().map_err(|error| failed(error.into()))?;
        state.started += 1;
        let id = format!("process-{}", state.started);
        let id: InstanceId = id.parse().map_err(|error| failed(Box::new(error)))?;
        if let Some(stdout) = process.stdout.take() {
            let (state, addresses) = (Arc::clone(&self.state), self.addresses.clone());
            tokio::spawn(listen(stdout, id.clone(), state, addresses));
        }
        state.members.push(Member {
            id,
            process,
            protected: false,
            up: false,
        });
        Ok(())
    }

    /// Takes a member out, and with it its process.
    fn end(&self, state: &mut State, place: usize) {
        let member = state.members.remove(place);
        self.addresses.remove(&member.id);
    }
}

/// Reads what an instance prints, and takes in where its Jibri listens.
async fn listen(
    stdout: ChildStdout,
    id: InstanceId,
    state: Arc<Mutex<State>>,
    addresses: LiveAddresses,
) {
    let mut lines = BufReader::new(stdout).lines();
    // It is read to its end, so that the process never waits for a reader.
    while let Ok(Some(line)) = lines.next_line().await {
        let Some(bases) = bases(&line) else { continue };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(member) = state.members.iter_mut().find(|member| member.id == id) {
            member.up = true;
            addresses.insert(id.clone(), bases);
        }
    }
}

fn bases(line: &str) -> Option<ApiBases> {
    let (_, said) = line.split_once(SAYS)?;
    let (health, internal) = said.split_once(' ')?;
    Some(ApiBases::new(
        health.trim().parse().ok()?,
        internal.trim().parse().ok()?,
    ))
}

fn refused(what: String, why: &str) -> PortError {
    PortError::new(PortErrorKind::Permanent, what).with_source(why.to_owned())
}

#[async_trait]
impl GroupListing for ProcessGroup {
    async fn list(&self) -> Result<Listing, PortError> {
        let state = self.state();
        if state.deleted {
            return Err(refused("list the group".into(), "there is none"));
        }
        let row = |member: &Member| {
            let lifecycle = if member.up {
                Lifecycle::InService
            } else {
                Lifecycle::Pending
            };
            let mut row = Instance::new(member.id.clone(), lifecycle);
            row.protected = member.protected;
            row
        };
        let (min_size, max_size) = state.bounds;
        let group = Group::new(min_size, max_size, state.desired);
        Ok(Listing::new(group, state.members.iter().map(row).collect()))
    }
}

#[async_trait]
impl GroupControl for ProcessGroup {
    async fn protect(&self, ids: &[InstanceId]) -> Result<(), PortError> {
        let mut state = self.state();
        for member in &mut state.members {
            member.protected |= ids.contains(&member.id);
        }
        Ok(())
    }

    async fn set_capacity(&self, desired: u32) -> Result<(), PortError> {
        let mut state = self.state();
        let what = || format!("set the capacity to {desired}");
        if state.deleted {
            return Err(refused(what(), "there is no group"));
        }
        let (min_size, max_size) = state.bounds;
        if !(min_size..=max_size).contains(&desired) {
            return Err(refused(
                what(),
                &format!("it may be {min_size} to {max_size}"),
            ));
        }
        state.desired = desired;
        // As Auto Scaling does it: what is unprotected goes, also where that leaves more than are desired.
        while state.members.len() > desired as usize {
            let Some(place) = state.members.iter().position(|member| !member.protected) else {
                break;
            };
            self.end(&mut state, place);
        }
        self.launch_missing(&mut state)
    }

    async fn terminate(&self, id: &InstanceId, decrement: Decrement) -> Result<(), PortError> {
        let mut state = self.state();
        let Some(place) = state.members.iter().position(|member| member.id == *id) else {
            return Ok(());
        };
        if decrement == Decrement::Yes {
            if state.desired <= state.bounds.0 {
                let what = format!("terminate {id} with a decrement");
                return Err(refused(what, "the group is at its minimum size"));
            }
            state.desired -= 1;
        }
        self.end(&mut state, place);
        self.launch_missing(&mut state)
    }

    async fn complete_termination(&self, _id: &InstanceId) -> Result<(), PortError> {
        // There are no hooks.
        Ok(())
    }
}
