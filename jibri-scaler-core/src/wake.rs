//! Ticks that come at once where something was pushed, beside those of every interval.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use futures_core::Stream;
use futures_util::task::AtomicWaker;

use crate::{
    Timestamp,
    port::{FleetMetrics, MetricsSink, PortError},
};

/// Says that a tick should come now. It never waits, costs next to nothing, and may be shared with any thread.
///
/// ```
/// use futures_util::{FutureExt as _, StreamExt as _};
/// use jibri_scaler_core::wake::Wake;
///
/// let wake = Wake::default();
/// let mut wakes = wake.wakes();
/// assert_eq!(wakes.next().now_or_never(), None);
/// wake.wake();
/// wake.wake();
/// assert_eq!(wakes.next().now_or_never(), Some(Some(())));
/// assert_eq!(wakes.next().now_or_never(), None, "two at once are one");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    due: AtomicBool,
    waker: AtomicWaker,
}

impl Wake {
    /// Wakes whoever waits for it, or lets the next wait end at once.
    pub fn wake(&self) {
        // Whoever finds it due already was woken by the one who made it so.
        if !self.0.due.swap(true, Ordering::AcqRel) {
            self.0.waker.wake();
        }
    }

    /// The wake-ups, for one who waits: of several streams only the one that was polled last is woken.
    pub fn wakes(&self) -> Wakes {
        Wakes(Arc::clone(&self.0))
    }
}

/// Wake-ups: one for any number of calls of [`Wake::wake`] since the last. It never ends.
#[derive(Debug)]
#[must_use = "a stream does nothing unless it is polled"]
pub struct Wakes(Arc<Shared>);

impl Stream for Wakes {
    type Item = ();

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        // Registered before the look, so that none between the two is missed.
        self.0.waker.register(cx.waker());
        if self.0.due.swap(false, Ordering::AcqRel) {
            Poll::Ready(Some(()))
        } else {
            Poll::Pending
        }
    }
}

/// Merges wake-ups into ticks: each tick that is due, and one more at once where there was a wake-up.
///
/// Ticks are never closer to each other than the future that `distance` makes takes, counted from the beginning of the one before.
/// What falls into that time, wake-ups as well as a tick that was due, is one tick at its end. So at most `distance` is added to
/// the time between two ticks: keep interval and distance together below [`report_ttl`](crate::Limits::report_ttl). Wake-ups that
/// come while a tick runs are one tick after it.
///
/// It ends with `ticks`, at once. It keeps no clock and no timer: `clock` says what time it is when a tick was not due by itself,
/// and `distance` makes a future, such as tokio's `sleep`, which goes on however the clock of the wall is set.
///
/// ```
/// use futures_util::{FutureExt as _, StreamExt as _, stream};
/// use jibri_scaler_core::{Timestamp, wake::{Wake, promptly}};
///
/// let wake = Wake::default();
/// let ticks = stream::iter([0]).map(Timestamp::from_secs).chain(stream::pending());
/// // With tokio: `|| tokio::time::sleep(Duration::from_secs(2))`.
/// let no_distance = || std::future::ready(());
/// let mut ticks = promptly(ticks, wake.wakes(), || Timestamp::from_secs(3), no_distance);
/// assert_eq!(ticks.next().now_or_never(), Some(Some(Timestamp::from_secs(0))));
/// assert_eq!(ticks.next().now_or_never(), None);
/// wake.wake();
/// assert_eq!(ticks.next().now_or_never(), Some(Some(Timestamp::from_secs(3))));
/// ```
pub fn promptly<F: Future<Output = ()> + Send + 'static>(
    ticks: impl Stream<Item = Timestamp> + Send + 'static,
    wakes: impl Stream<Item = ()> + Send + 'static,
    clock: impl Fn() -> Timestamp + Send + 'static,
    distance: impl Fn() -> F + Send + 'static,
) -> Promptly {
    Promptly {
        ticks: Box::pin(ticks),
        wakes: Some(Box::pin(wakes)),
        clock: Box::new(clock),
        distance: Box::new(move || Box::pin(distance())),
        gate: None,
        due: Due::No,
    }
}

/// Ticks and wake-ups as one stream. See [`promptly`].
#[must_use = "a stream does nothing unless it is polled"]
pub struct Promptly {
    ticks: Pin<Box<dyn Stream<Item = Timestamp> + Send>>,
    wakes: Option<Pin<Box<dyn Stream<Item = ()> + Send>>>,
    clock: Box<dyn Fn() -> Timestamp + Send>,
    distance: Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>,
    /// Until the next tick may come.
    gate: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    due: Due,
}

#[derive(Clone, Copy, PartialEq)]
enum Due {
    No,
    /// By a wake-up.
    Woken,
    /// By itself, at that time.
    At(Timestamp),
    /// By itself, at a time that is past since the distance had to be kept.
    Late,
}

impl Stream for Promptly {
    type Item = Timestamp;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Timestamp>> {
        let this = self.get_mut();
        // One that is due is not asked for the next: what is always ready would run away.
        if matches!(this.due, Due::No | Due::Woken) {
            match this.ticks.as_mut().poll_next(cx) {
                Poll::Ready(Some(at)) => this.due = Due::At(at),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {}
            }
        }
        if let Some(wakes) = &mut this.wakes {
            match wakes.as_mut().poll_next(cx) {
                Poll::Ready(Some(())) if this.due == Due::No => this.due = Due::Woken,
                Poll::Ready(None) => this.wakes = None,
                Poll::Ready(Some(())) | Poll::Pending => {}
            }
        }
        if this.due == Due::No {
            return Poll::Pending;
        }
        if let Some(gate) = &mut this.gate {
            if gate.as_mut().poll(cx).is_pending() {
                if matches!(this.due, Due::At(_)) {
                    this.due = Due::Late;
                }
                return Poll::Pending;
            }
            this.gate = None;
        }
        let at = match std::mem::replace(&mut this.due, Due::No) {
            Due::At(at) => at,
            _ => (this.clock)(),
        };
        this.gate = Some((this.distance)());
        Poll::Ready(Some(at))
    }
}

impl fmt::Debug for Promptly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promptly").finish_non_exhaustive()
    }
}

/// Hands on the numbers of the first tick in each period, and leaves out those of ticks that come beside it.
///
/// Metrics are added up over periods of the clock. Two points in one, as those of a tick that was woken and of one that was due, show
/// twice as many idle Jibris as there are. A period begins at multiples of its length, as those of `CloudWatch` do.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{port::MetricsSink, wake::OncePerPeriod};
///
/// # fn example(sink: impl MetricsSink + 'static, controller: jibri_scaler_core::Controller) {
/// let interval = Duration::from_secs(10);
/// let controller = controller.with_metrics(OncePerPeriod::new(sink, interval));
/// # let _ = controller;
/// # }
/// ```
#[derive(Debug)]
pub struct OncePerPeriod<S> {
    sink: S,
    period: i64,
    last: Mutex<Option<i64>>,
}

impl<S> OncePerPeriod<S> {
    /// Hands on to this sink, once in a period of this length, which is at least a microsecond.
    pub fn new(sink: S, period: Duration) -> Self {
        Self {
            sink,
            period: i64::try_from(period.as_micros()).unwrap_or(i64::MAX).max(1),
            last: Mutex::default(),
        }
    }

    /// Whether it is the first in its period, from now on not any more.
    fn is_first(&self, at: Timestamp) -> bool {
        let period = at.as_micros().div_euclid(self.period);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.replace(period) != Some(period)
    }
}

#[async_trait]
impl<S: MetricsSink> MetricsSink for OncePerPeriod<S> {
    async fn publish(&self, metrics: &FleetMetrics) -> Result<(), PortError> {
        if self.is_first(metrics.at) {
            self.sink.publish(metrics).await
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        sync::atomic::{AtomicI64, AtomicUsize},
    };

    use futures_util::{FutureExt as _, StreamExt as _, stream};

    use super::*;

    const EVERY: i64 = 10;
    const DISTANCE: i64 = 2;

    /// Virtual seconds. Nothing waits: a test moves the time on and looks what is ready.
    #[derive(Default)]
    struct Time(AtomicI64);

    impl Time {
        fn now(&self) -> i64 {
            self.0.load(Ordering::SeqCst)
        }
    }

    fn until(time: &Arc<Time>, end: i64) -> impl Future<Output = ()> + Send + use<> {
        let time = Arc::clone(time);
        poll_fn(move |_| {
            if time.now() >= end {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
    }

    /// The ticks of a day of so many seconds in which it was woken at these times.
    fn day(length: i64, woken: &[i64]) -> Vec<i64> {
        let time = Arc::new(Time::default());
        let regular = stream::unfold((Arc::clone(&time), 0), |(time, at)| async move {
            until(&time, at).await;
            Some((Timestamp::from_secs(at), (time, at + EVERY)))
        });
        let wake = Wake::default();
        let (clock, distance) = (Arc::clone(&time), Arc::clone(&time));
        let mut ticks = promptly(
            regular,
            wake.wakes(),
            move || Timestamp::from_secs(clock.now()),
            move || until(&distance, distance.now() + DISTANCE),
        );
        let mut seen = Vec::new();
        for now in 0..length {
            time.0.store(now, Ordering::SeqCst);
            for _ in woken.iter().filter(|at| **at == now) {
                wake.wake();
            }
            while let Some(Some(at)) = ticks.next().now_or_never() {
                seen.push(at.as_micros() / 1_000_000);
            }
        }
        seen
    }

    #[test]
    fn a_wake_up_is_a_tick_at_once_and_the_others_stay_where_they_are() {
        assert_eq!(day(31, &[]), [0, 10, 20, 30]);
        assert_eq!(day(31, &[5, 14]), [0, 5, 10, 14, 20, 30]);
    }

    #[test]
    fn many_wake_ups_are_one_tick_and_ticks_keep_their_distance() {
        assert_eq!(day(10, &[5, 5, 5]), [0, 5]);
        assert_eq!(day(10, &[5, 6]), [0, 5, 7]);
        let always: Vec<i64> = (0..1000).collect();
        let ticks = day(1000, &always);
        assert!(ticks.windows(2).all(|two| two[1] - two[0] == DISTANCE));
        assert_eq!(ticks.len(), 500);
    }

    #[test]
    fn a_tick_that_is_due_within_the_distance_comes_at_its_end_and_is_not_lost() {
        assert_eq!(day(21, &[9]), [0, 9, 11, 20]);
        assert_eq!(day(21, &[9, 10]), [0, 9, 11, 20]);
        for woken in 0..30 {
            let ticks = day(60, &[woken]);
            assert!(ticks.windows(2).all(|two| {
                let apart = two[1] - two[0];
                (DISTANCE..=EVERY + DISTANCE).contains(&apart)
            }));
            assert!(ticks.contains(&woken) || ticks.contains(&(woken - woken % EVERY + DISTANCE)));
        }
    }

    #[test]
    fn each_period_has_the_numbers_of_one_tick() {
        struct Published(Mutex<Vec<i64>>);

        #[async_trait]
        impl MetricsSink for Published {
            async fn publish(&self, metrics: &FleetMetrics) -> Result<(), PortError> {
                let at = metrics.at.as_micros() / 1_000_000;
                self.0.lock().unwrap().push(at);
                Ok(())
            }
        }

        let every = Duration::from_secs(EVERY.unsigned_abs());
        let sink = OncePerPeriod::new(Published(Mutex::default()), every);
        // Woken at 5, 9 and 28: the tick of 10 comes at 11, that of 30 in time.
        let ticks = day(51, &[5, 9, 28, 41, 43]);
        assert_eq!(ticks, [0, 5, 9, 11, 20, 28, 30, 40, 42, 44, 50]);
        for at in ticks {
            let at = Timestamp::from_secs(at);
            let metrics = FleetMetrics::new(at, &crate::Tally::default(), 0, 0);
            futures_executor::block_on(sink.publish(&metrics)).unwrap();
        }
        let published = sink.sink.0.into_inner().unwrap();
        assert_eq!(published, [0, 11, 20, 30, 40, 50]);
    }

    #[test]
    fn it_ends_with_the_ticks_and_goes_on_without_wake_ups() {
        let three = || stream::iter(0..3).map(Timestamp::from_secs);
        let now = || Timestamp::from_secs(7);
        let ready = || std::future::ready(());
        let ticks = promptly(three(), stream::empty(), now, ready).collect::<Vec<_>>();
        assert_eq!(ticks.now_or_never().unwrap().len(), 3);

        // A stop is seen at once, although a wake-up waits for its turn.
        let wake = Wake::default();
        let stop = Wake::default();
        let until_told = stream::pending().take_until(stop.wakes().into_future());
        let mut ticks = promptly(until_told, wake.wakes(), now, std::future::pending);
        wake.wake();
        assert!(ticks.next().now_or_never().flatten().is_some());
        wake.wake();
        assert_eq!(ticks.next().now_or_never(), None);
        stop.wake();
        assert_eq!(ticks.next().now_or_never(), Some(None));
    }

    #[test]
    fn whoever_waits_is_woken_from_another_thread() {
        const ROUNDS: usize = 2000;
        let wake = Wake::default();
        let heard = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let (mut wakes, heard) = (wake.wakes(), &heard);
            scope.spawn(move || {
                futures_executor::block_on(async {
                    for _ in 0..ROUNDS {
                        wakes.next().await;
                        heard.fetch_add(1, Ordering::SeqCst);
                    }
                });
            });
            // One that is lost would be waited for without end.
            for round in 1..=ROUNDS {
                wake.wake();
                while heard.load(Ordering::SeqCst) < round {
                    std::thread::yield_now();
                }
            }
        });
    }
}
