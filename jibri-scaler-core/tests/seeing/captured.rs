//! A subscriber that keeps what it is told.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// An event, or a span that was begun.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) target: String,
    pub(crate) level: Level,
    pub(crate) fields: BTreeMap<String, String>,
    /// The fields of the span it happened in, if it did.
    pub(crate) span: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default)]
struct State {
    spans: Vec<BTreeMap<String, String>>,
    entered: Vec<usize>,
    events: Vec<Entry>,
}

/// Keeps all events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Captured(Arc<Mutex<State>>);

impl Captured {
    pub(crate) fn events(&self) -> Vec<Entry> {
        self.0.lock().unwrap().events.clone()
    }

    pub(crate) fn spans(&self) -> Vec<BTreeMap<String, String>> {
        self.0.lock().unwrap().spans.clone()
    }
}

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().into(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), value.into());
    }
}

impl Subscriber for Captured {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("jibri_scaler")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = BTreeMap::new();
        span.record(&mut Fields(&mut fields));
        let mut state = self.0.lock().unwrap();
        state.spans.push(fields);
        Id::from_u64(state.spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = BTreeMap::new();
        event.record(&mut Fields(&mut fields));
        let metadata = event.metadata();
        let mut state = self.0.lock().unwrap();
        let span = state.entered.last().map(|at| state.spans[*at].clone());
        state.events.push(Entry {
            target: metadata.target().into(),
            level: *metadata.level(),
            fields,
            span,
        });
    }

    fn enter(&self, span: &Id) {
        let at = usize::try_from(span.into_u64()).unwrap() - 1;
        self.0.lock().unwrap().entered.push(at);
    }

    fn exit(&self, _: &Id) {
        self.0.lock().unwrap().entered.pop();
    }
}
