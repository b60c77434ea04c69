//! What is shown while the day runs: a table that renews itself on a terminal, plain lines elsewhere.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use jibri_scaler_core::{Effect, Timestamp, controller::TickReport};

use crate::{summary::Summary, timeline::Sample};

const ROWS: usize = 9;
/// Without a terminal, a line at least this often, and one for each decision.
const EVERY: Duration = Duration::from_mins(30);

pub(crate) struct Screen {
    live: bool,
    drawn: bool,
    last_line: Option<Timestamp>,
    last_acts: Vec<String>,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self {
            live: io::stdout().is_terminal(),
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
        let acts = acts(report);
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
        let mut out = io::stdout().lock();
        writeln!(
            out,
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
        let mut terminal = io::stdout().lock();
        terminal.write_all(&out)?;
        terminal.flush()
    }
}

/// The effects of the plan, in few words.
pub(crate) fn acts(report: &TickReport) -> Vec<String> {
    let retires = report.decision.plan.retires().count();
    let capacity = report
        .decision
        .plan
        .effects
        .iter()
        .find_map(|effect| match effect {
            Effect::SetCapacity { to } => Some(format!("set capacity {to}")),
            _ => None,
        });
    let retires = (retires > 0).then(|| {
        let ids: Vec<_> = report
            .decision
            .plan
            .retires()
            .map(|(id, _)| id.as_str())
            .collect();
        format!("retire {}", ids.join(" "))
    });
    capacity.into_iter().chain(retires).collect()
}

fn clock(at: Timestamp) -> String {
    at.to_string().get(11..19).unwrap_or_default().to_owned()
}
