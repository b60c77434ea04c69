//! The group, the Jibris and the memory, as a process reaches them: each call takes its time on the way there and back.

use std::{future::Future, sync::Arc};

use async_trait::async_trait;
use jibri_scaler_core::{
    InstanceId, Memory,
    port::{
        Decrement, DrainClient, GroupControl, GroupListing, HealthProbe, Listing, MemoryStore,
        PortError, Presence, ProbeOutcome, Target, Told,
    },
};

use crate::process::Process;

pub(crate) struct Far<T> {
    there: Arc<T>,
    process: Arc<Process>,
}

impl<T: Send + Sync> Far<T> {
    pub(crate) fn new(there: &Arc<T>, process: &Arc<Process>) -> Self {
        Self {
            there: Arc::clone(there),
            process: Arc::clone(process),
        }
    }

    /// What changes nothing: all of the time that it takes is that of the answer, which is old when it arrives.
    async fn ask<O: Send>(&self, call: impl Future<Output = O> + Send) -> O {
        let answer = call.await;
        self.process.wait().await;
        answer
    }

    /// What only who leads may do. Where it fails it may have been done.
    async fn act(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<(), PortError>> + Send,
    ) -> Result<(), PortError> {
        let begun = self.process.begins(name);
        self.process.wait().await;
        self.process.may_fail(name)?;
        self.process.arrives(name, begun);
        let done = call.await;
        self.process.wait().await;
        self.process.may_fail(name)?;
        done
    }
}

#[async_trait]
impl<T: GroupListing> GroupListing for Far<T> {
    async fn list(&self) -> Result<Listing, PortError> {
        let listing = self.ask(self.there.list()).await;
        self.process.may_fail("list")?;
        listing
    }
}

#[async_trait]
impl<T: GroupControl> GroupControl for Far<T> {
    async fn protect(&self, ids: &[InstanceId]) -> Result<(), PortError> {
        self.act("protect", self.there.protect(ids)).await
    }

    async fn set_capacity(&self, desired: u32) -> Result<(), PortError> {
        let call = self.there.set_capacity(desired);
        self.act("set the capacity", call).await
    }

    async fn terminate(&self, id: &InstanceId, decrement: Decrement) -> Result<(), PortError> {
        let call = self.there.terminate(id, decrement);
        self.act("terminate", call).await
    }

    async fn complete_termination(&self, id: &InstanceId) -> Result<(), PortError> {
        let call = self.there.complete_termination(id);
        self.act("complete", call).await
    }
}

#[async_trait]
impl<T: HealthProbe> HealthProbe for Far<T> {
    async fn probe(&self, target: &Target) -> ProbeOutcome {
        self.ask(self.there.probe(target)).await
    }
}

#[async_trait]
impl<T: DrainClient> DrainClient for Far<T> {
    async fn is_reachable(&self, target: &Target) -> bool {
        self.ask(self.there.is_reachable(target)).await
    }

    async fn tell(&self, target: &Target) -> Told {
        let begun = self.process.begins("tell");
        self.process.wait().await;
        self.process.arrives("tell", begun);
        let told = self.there.tell(target).await;
        self.process.wait().await;
        match self.process.may_fail("tell") {
            Ok(()) => told,
            Err(_) => Told::Unknown,
        }
    }

    async fn look(&self, target: &Target) -> Presence {
        self.ask(self.there.look(target)).await
    }
}

#[async_trait]
impl<T: MemoryStore> MemoryStore for Far<T> {
    async fn load(&self) -> Result<Option<Memory>, PortError> {
        self.process.loaded();
        let loaded = self.ask(self.there.load()).await;
        self.process.may_fail("load")?;
        loaded
    }

    async fn save(&self, memory: &Memory) -> Result<(), PortError> {
        let saved = async {
            self.process.saves()?;
            self.there.save(memory).await
        };
        self.act("save", saved).await
    }
}
