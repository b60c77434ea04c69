//! What the fuzz targets of this crate have met, the same changed at random, and what nobody would write by accident. See `fuzz/`.

#[path = "../../../fuzz/properties/addresses.rs"]
mod addresses;
#[path = "../../../fuzz/properties/bounded.rs"]
mod bounded;
#[path = "../../../fuzz/properties/mutate.rs"]
mod mutate;
#[path = "../../../fuzz/properties/oracle.rs"]
mod oracle;
#[path = "../../../fuzz/properties/replay.rs"]
mod replay;
#[path = "../../../fuzz/properties/webhook.rs"]
mod webhook;

const LONG: usize = 64 * 1024;

#[test]
fn webhook_bodies() {
    replay::corpus("webhook", webhook::property);
    mutate::corpus("webhook", "json.dict", webhook::property);
    let body = |id: &str, version: &str| {
        format!(r#"{{"jibriId":"{id}","busy":false,"agent":{{"version":"{version}"}}}}"#)
            .into_bytes()
    };
    let long = "x".repeat(LONG);
    let hostile = || {
        [
            ("a long id", body(&long, "1")),
            ("a long version", body("i-1", &long)),
            ("lists in lists", vec![b'['; LONG]),
            ("objects in objects", br#"{"agent":"#.repeat(LONG / 9)),
            (
                "one id many times",
                [&b"{"[..], &br#""jibriId":"i-1","#.repeat(4000)].concat(),
            ),
            ("invalid UTF-8", vec![0xff; LONG]),
            ("NULs", vec![0; LONG]),
        ]
    };
    replay::each(hostile, webhook::property);
}

#[test]
fn address_files() {
    replay::corpus("addresses", addresses::property);
    mutate::corpus("addresses", "toml.dict", addresses::property);
    let table = |id: &str, host: &str| {
        format!("[\"{id}\"]\nhealth = \"http://{host}:1\"\ninternal = \"http://{host}:2\"\n")
    };
    let many = |host: &dyn Fn(usize) -> String| {
        let tables = (0..800).map(|i| table(&format!("i-{i}"), &host(i)));
        tables.collect::<String>().into_bytes()
    };
    let long = "x".repeat(LONG);
    let hostile = || {
        [
            ("many instances", many(&|i| format!("host-{i}"))),
            ("many at one address", many(&|_| "host".into())),
            ("a long id", table(&long, "host").into_bytes()),
            ("a long host", table("i-1", &long).into_bytes()),
            (
                "many dots",
                table("i-1", &"x.".repeat(LONG / 2)).into_bytes(),
            ),
            (
                "many at signs",
                table("i-1", &"@".repeat(LONG)).into_bytes(),
            ),
            (
                "a long path",
                table("i-1", &format!("h/{}", "a/../".repeat(LONG / 5))).into_bytes(),
            ),
            (
                "letters of elsewhere",
                table("i-1", &"\u{fc}".repeat(LONG / 2)).into_bytes(),
            ),
            ("tables in tables", b"x={a=".repeat(LONG / 5)),
            ("lists in lists", [&b"x="[..], &vec![b'['; LONG]].concat()),
            ("NULs", vec![0; LONG]),
        ]
    };
    replay::each(hostile, addresses::property);
}
