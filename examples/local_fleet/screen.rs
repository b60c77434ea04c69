//! What is shown while the day runs: a table that renews itself on a terminal, plain lines elsewhere.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use jibri_scaler_core::{Plan, Timestamp, controller::TickReport};

use crate::{summary::Summary, timeline::Sample};

const ROWS: usize = 9;
/// Without a terminal, a line at least this often, and one for each decision.
const EVERY: Duration = Duration::from_mins(30);

pub(crate) struct Screen {
    out: Box<dyn io::Write + Send>,
    live: bool,
    drawn: bool,
    last_line: Option<Timestamp>,
    last_acts: Vec<String>,
}

impl Screen {
    /// What the standard output is: a table where it is a terminal.
    pub(crate) fn standard() -> Self {
        Self::new(Box::new(io::stdout()), io::stdout().is_terminal())
    }

    /// Shows it there, as a table that renews itself or as plain lines.
    pub(crate) fn new(out: Box<dyn io::Write + Send>, live: bool) -> Self {
        Self {
            out,
            live,
            drawn: false,
            last_line: None,
            last_acts: Vec::new(),
        }
    }

    pub(crate) fn show(
        &mut self,
        report: &TickReport,
        sample: Sample,
        summary: &Summary,
    ) -> io::Result<()> {
        let plan = &report.decision.plan;
        let acts: Vec<_> = raised(plan).into_iter().chain(retired(plan)).collect();
        let at = report.decision.at;
        if self.live {
            if !acts.is_empty() {
                self.last_acts
                    .push(format!("{} {}", clock(at), acts.join(", ")));
                let first = self.last_acts.len().saturating_sub(3);
                self.last_acts.drain(..first);
            }
            return self.draw(report, sample, summary);
        }
        if acts.is_empty() && self.last_line.is_some_and(|last| at.since(last) < EVERY) {
            return Ok(());
        }
        self.last_line = Some(at);
        let Sample {
            busy,
            idle,
            booting,
            leaving,
        } = sample;
        let text = if acts.is_empty() {
            String::new()
        } else {
            format!("  {}", acts.join(", "))
        };
        writeln!(
            self.out,
            "{}  busy {busy:>2}  idle {idle:>2}  booting {booting:>2}  leaving {leaving:>2}  refused {:>2}{text}",
            clock(at),
            summary.refused
        )
    }

    fn draw(&mut self, report: &TickReport, sample: Sample, summary: &Summary) -> io::Result<()> {
        // A row that is too wide is cut off: if it went on in the next one, the table would not stand where it is looked for.
        let mut out = b"\x1b[?7l".to_vec();
        if self.drawn {
            // Back to the first row of the table that stands there.
            write!(out, "\x1b[{ROWS}A")?;
        }
        self.drawn = true;
        let bar = |count: u32, sign: &str| sign.repeat(count as usize);
        let rows: [(&str, u32, &str); 4] = [
            ("busy", sample.busy, "█"),
            ("idle", sample.idle, "▒"),
            ("booting", sample.booting, "░"),
            ("leaving", sample.leaving, "·"),
        ];
        let at = report.decision.at;
        writeln!(
            out,
            "\x1b[2K{}   wanted spare {}",
            clock(at),
            report.decision.wanted_spare
        )?;
        for (name, count, sign) in rows {
            writeln!(out, "\x1b[2K  {name:<8}{count:>3} {}", bar(count, sign))?;
        }
        writeln!(
            out,
            "\x1b[2K  recordings: {} asked for, {} served, {} refused, {} lost",
            summary.asked, summary.served, summary.refused, summary.lost
        )?;
        for row in 0..ROWS - 6 {
            writeln!(
                out,
                "\x1b[2K  {}",
                self.last_acts.get(row).map_or("", String::as_str)
            )?;
        }
        out.extend(b"\x1b[?7h");
        self.out.write_all(&out)?;
        self.out.flush()
    }
}

/// The capacity that the plan sets, in few words.
pub(crate) fn raised(plan: &Plan) -> Option<String> {
    plan.capacity().map(|to| format!("set capacity {to}"))
}

/// Whom the plan retires, in few words.
pub(crate) fn retired(plan: &Plan) -> Option<String> {
    let ids: Vec<_> = plan.retires().map(|(id, _)| id.as_str()).collect();
    (!ids.is_empty()).then(|| format!("retire {}", ids.join(" ")))
}

fn clock(at: Timestamp) -> String {
    at.to_string().get(11..19).unwrap_or_default().to_owned()
}
