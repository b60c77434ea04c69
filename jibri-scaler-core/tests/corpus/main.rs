//! What the fuzz targets of this crate have met, the same changed at random, and what nobody would write by accident. See `fuzz/`.

#[path = "../../../fuzz/properties/audit.rs"]
mod audit;
#[path = "../../../fuzz/properties/bounded.rs"]
mod bounded;
#[path = "../../../fuzz/properties/command.rs"]
mod command;
#[path = "../../../fuzz/properties/health.rs"]
mod health;
mod hostile;
#[path = "../../../fuzz/properties/memory.rs"]
mod memory;
#[path = "../../../fuzz/properties/mutate.rs"]
mod mutate;
#[path = "../../../fuzz/properties/oracle.rs"]
mod oracle;
#[path = "../../../fuzz/properties/policy.rs"]
mod policy;
#[path = "../../../fuzz/properties/replay.rs"]
mod replay;
#[path = "../../../fuzz/properties/ticks.rs"]
mod ticks;

#[test]
fn health_bodies() {
    replay::corpus("health", health::property);
    mutate::corpus("health", "json.dict", health::property);
    replay::each(hostile::health_bodies, health::property);
}

#[test]
fn policy_files() {
    replay::corpus("policy", policy::property);
    mutate::corpus("policy", "toml.dict", policy::property);
    replay::each(hostile::policy_files, policy::property);
}

#[test]
fn tick_lines() {
    replay::corpus("ticks", ticks::property);
    mutate::corpus("ticks", "json.dict", ticks::property);
    replay::each(hostile::tick_lines, ticks::property);
}

#[test]
fn memory_files() {
    replay::corpus("memory", memory::property);
    mutate::corpus("memory", "json.dict", memory::property);
    replay::each(hostile::memory_files, memory::property);
}

#[test]
fn commands_of_an_operator() {
    replay::corpus("command", command::property);
    mutate::corpus("command", "json.dict", command::property);
    replay::each(hostile::commands, command::property);
}

#[test]
fn audit_logs() {
    replay::corpus("audit", audit::property);
    mutate::corpus("audit", "json.dict", audit::property);
    replay::each(hostile::audit_logs, audit::property);
}
