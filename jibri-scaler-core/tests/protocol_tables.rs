//! `docs/safety.md` has the tables of the protocol as they are beside the code.

use std::{fs, path::Path};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The tables of that file that have a column with that name, as lines, without what makes them a comment.
fn tables(file: &str, column: &str) -> Vec<Vec<String>> {
    let (mut tables, mut table) = (Vec::new(), Vec::new());
    for line in read(file).lines().chain([""]) {
        let row = line.trim_start_matches("//!").trim_start_matches("///");
        let row = row.trim();
        if row.starts_with('|') {
            table.push(row.to_owned());
        } else if !table.is_empty() {
            tables.push(std::mem::take(&mut table));
        }
    }
    tables.retain(|table| table[0].contains(column));
    tables
}

#[test]
fn the_tables_of_the_protocol_are_those_of_the_code() {
    let phases = "| phase | input | next phase | why |";
    let mut of_code = tables("src/retirement.rs", phases);
    of_code.extend(tables("src/agent/drain.rs", phases));
    assert_eq!(of_code.len(), 3);
    assert!(of_code.iter().all(|table| table.len() > 5), "{of_code:#?}");
    assert_eq!(tables("../docs/safety.md", phases), of_code);
}

#[test]
fn the_table_of_a_tick_is_that_of_the_code() {
    let stages = "| a tick's stage | outcome | next | why |";
    let of_code = tables("src/controller/course.rs", stages);
    assert_eq!(of_code.len(), 1);
    assert_eq!(tables("../docs/safety.md", stages), of_code);
}

#[test]
fn each_transition_has_its_reason() {
    for table in tables("../docs/safety.md", "| why |") {
        for row in table {
            let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
            assert!(cells.iter().all(|cell| !cell.is_empty()), "{row}");
        }
    }
}
