//! Holds the list against the source.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    path::{Path, PathBuf},
};

use super::*;

/// Whose code is where. What is in no such place makes no calls.
const WHERE: [(&str, &[Role]); 12] = [
    ("agent.rs", &[Agent]),
    ("agent/", &[Agent]),
    ("ec2.rs", &[Controller]),
    ("ec2/", &[Controller]),
    ("group/", &[Controller]),
    ("inspect/", &[Provision]),
    ("leadership/", &[Controller]),
    ("memory_store.rs", &[Controller]),
    ("ownership.rs", &[Controller]),
    ("provision/", &[Provision]),
    ("publisher.rs", &[Agent, Controller]),
    ("sink.rs", &[Controller]),
];

/// What is in the code of the group, and not for the controller.
const NOT_CONTROLLER: &str = "autoscaling:RecordLifecycleActionHeartbeat";

const NO_CALLS: [&str; 1] = ["cloudwatch:TagResource"];

/// A call in the source: the file, the method of the SDK, and the action that its failure names.
#[derive(Debug)]
struct Site {
    file: String,
    method: String,
    action: Option<String>,
}

fn sites() -> Vec<Site> {
    let mut sites = Vec::new();
    for (file, code) in sources("") {
        let dense: String = code.split_whitespace().collect();
        for (at, _) in dense.match_indices(".send()") {
            sites.push(Site {
                file: file.clone(),
                method: method(&dense[..at]),
                action: action(&dense[at..]),
            });
        }
    }
    sites
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The method of the client that began the request which is sent here.
fn method(before: &str) -> String {
    let clients = ["client.", "autoscaling.", "cloudwatch.", "ec2."];
    let calls = clients.iter().flat_map(|client| {
        before.match_indices(client).filter_map(|(at, _)| {
            let rest = &before[at + client.len()..];
            let name = rest.split_once("()")?.0;
            let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            is_name.then_some((at, name))
        })
    });
    calls
        .max()
        .map_or_else(String::new, |(_, name)| name.into())
}

/// The first text after it that looks like an action, which its failure is given.
fn action(after: &str) -> Option<String> {
    let next = after[1..].find(".send()").map_or(after.len(), |at| at + 1);
    let texts = after[..next].split('"').skip(1).step_by(2);
    let mut actions = texts.filter(|text| {
        let (service, operation) = text.split_once(':').unwrap_or_default();
        let is_operation = operation.chars().all(|c| c.is_ascii_alphanumeric());
        ["autoscaling", "cloudwatch", "dynamodb", "ec2"].contains(&service)
            && operation.starts_with(|c: char| c.is_ascii_uppercase())
            && is_operation
    });
    actions.next().map(str::to_owned)
}

fn snake(operation: &str) -> String {
    let mut out = String::new();
    for c in operation.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn roles(file: &str) -> &'static [Role] {
    let place = WHERE
        .iter()
        .find(|(place, _)| file.starts_with(place))
        .unwrap_or_else(|| panic!("{file} makes calls: say in WHERE whose they are"));
    place.1
}

#[test]
fn every_call_in_the_source_is_in_the_list_for_whom_it_is_made() {
    let sites = sites();
    assert!(sites.len() > 30, "the source was not read");
    for site in sites {
        let action = site
            .action
            .clone()
            .unwrap_or_else(|| panic!("{site:?}: its failure must name the IAM action"));
        let (_, operation) = action.split_once(':').unwrap();
        assert_eq!(
            snake(operation),
            site.method,
            "{site:?} names another action"
        );
        let listed = CALLS.iter().find(|call| call.action == action);
        let listed = listed.unwrap_or_else(|| panic!("{site:?} is not in CALLS"));
        for role in roles(&site.file) {
            if *role == Controller && action == NOT_CONTROLLER {
                continue;
            }
            assert!(
                listed.roles.contains(role),
                "{site:?}: CALLS does not have it for {role:?}"
            );
        }
    }
}

/// The actions that each function of the code of the group comes to, by itself or through others there.
fn reach() -> BTreeMap<String, BTreeSet<String>> {
    let mut bodies = BTreeMap::new();
    for (_, code) in sources("group/") {
        for part in code.split("fn ").skip(1) {
            let name = part.split(['(', '<']).next().unwrap_or_default();
            bodies.insert(name.to_owned(), part.to_owned());
        }
    }
    let calls = |body: &str, name: &str| {
        let dense: String = body.split_whitespace().collect();
        dense.contains(&format!("self.{name}("))
    };
    let mut reach: BTreeMap<String, BTreeSet<String>> = bodies
        .iter()
        .map(|(name, body)| {
            let dense: String = body.split_whitespace().collect();
            let sent = dense.match_indices(".send()");
            let actions = sent.filter_map(|(at, _)| action(&dense[at..])).collect();
            (name.clone(), actions)
        })
        .collect();
    // As many rounds as there are functions reach the end of any chain.
    for _ in 0..bodies.len() {
        for (name, body) in &bodies {
            let through = reach.iter().filter(|(other, _)| calls(body, other));
            let more: Vec<String> = through.flat_map(|(_, all)| all.clone()).collect();
            reach.entry(name.clone()).or_default().extend(more);
        }
    }
    reach
}

/// The code below a place, by file, without its tests.
fn sources(place: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let mut sources = Vec::new();
    for path in files {
        let file = path.strip_prefix(&root).unwrap();
        let file = file.to_str().unwrap().replace('\\', "/");
        let source = fs::read_to_string(&path).unwrap();
        if file.ends_with("/tests.rs") {
            let module = fs::read_to_string(path.parent().unwrap().with_extension("rs")).unwrap();
            assert!(
                module.contains("#[cfg(test)]\nmod tests;"),
                "{file} looks like tests, but is built into the library"
            );
        } else if file.starts_with(place) {
            let code = source.split("#[cfg(test)]\nmod tests").next().unwrap();
            sources.push((file, code.to_owned()));
        }
    }
    sources
}

/// What a role reaches in the code of the group, which is not its own: whatever it calls on its `group`.
fn elsewhere() -> HashSet<(Role, String)> {
    let reach = reach();
    // An agent lists through the port `GroupListing`, which has but one method.
    let mut all: HashSet<_> = reach["list"]
        .iter()
        .map(|action| (Agent, action.clone()))
        .collect();
    for (place, roles) in WHERE.iter().filter(|(place, _)| *place != "group/") {
        for (_, code) in sources(place) {
            let dense: String = code.split_whitespace().collect();
            let calls = |name: &str| {
                let ways = [format!("group.{name}("), format!("::{name}(&self.group,")];
                ways.iter().any(|way| dense.contains(way))
            };
            for (_, actions) in reach.iter().filter(|(name, _)| calls(name)) {
                let pairs = |role: &Role| {
                    actions
                        .iter()
                        .map(|action| (*role, action.clone()))
                        .collect::<Vec<_>>()
                };
                all.extend(roles.iter().flat_map(pairs));
            }
        }
    }
    all
}

#[test]
fn what_a_role_reaches_through_the_group_is_in_the_list_for_it() {
    let elsewhere = elsewhere();
    // Agents end themselves only where the hook holds them, which is read with the listing.
    for action in [
        "autoscaling:DescribeLifecycleHooks",
        "autoscaling:RecordLifecycleActionHeartbeat",
    ] {
        assert!(elsewhere.contains(&(Agent, action.into())), "{elsewhere:?}");
    }
    assert!(!elsewhere.contains(&(Agent, "autoscaling:SetDesiredCapacity".into())));
    for (role, action) in elsewhere {
        let listed = CALLS.iter().find(|call| call.action == action);
        assert!(
            listed.is_some_and(|call| call.roles.contains(&role)),
            "the code of {role:?} comes to {action}: CALLS does not have it for {role:?}"
        );
    }
}

#[test]
fn nothing_is_in_the_list_that_is_not_called() {
    let (sites, elsewhere) = (sites(), elsewhere());
    for call in CALLS.iter().filter(|call| !NO_CALLS.contains(&call.action)) {
        let callers: BTreeSet<_> = sites
            .iter()
            .filter(|site| site.action.as_deref() == Some(call.action))
            .map(|site| site.file.as_str())
            .collect();
        assert!(!callers.is_empty(), "{} is not called", call.action);
        for role in call.roles {
            let own = callers.iter().any(|file| roles(file).contains(role));
            assert!(
                own || elsewhere.contains(&(*role, call.action.to_owned())),
                "{} is not called for {role:?}, only in {callers:?}",
                call.action
            );
        }
    }
}

#[test]
fn no_action_is_listed_twice() {
    let mut seen = BTreeSet::new();
    for call in CALLS {
        assert!(seen.insert(call.action), "{} is there twice", call.action);
    }
}

#[test]
fn nothing_else_in_the_workspace_calls_aws() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut files = Vec::new();
    // Not there where the crate is tested as it was published.
    if examples.exists() {
        collect(&examples, &mut files);
    }
    for path in files {
        let source = fs::read_to_string(&path).unwrap();
        assert!(
            !source.contains("aws_sdk_"),
            "{} uses an SDK crate, whose calls are not in the list",
            path.display()
        );
    }
}

#[test]
fn the_readme_gives_the_doctor_what_inspecting_calls() {
    let readme = include_str!("../../../../README.md");
    let (_, policy) = readme.split_once("\"Sid\": \"Inspect\"").unwrap();
    let (policy, _) = policy.split_once("\"Resource\"").unwrap();
    let texts = policy.split('"');
    let given: Vec<_> = texts
        .filter(|text| text.contains(':') && !text.contains(' '))
        .collect();
    let sites = sites().into_iter();
    let inspecting = sites.filter(|site| site.file.starts_with("inspect/"));
    let called: BTreeSet<_> = inspecting.filter_map(|site| site.action).collect();
    assert_eq!(given, called.into_iter().collect::<Vec<_>>());
}

#[test]
fn the_template_in_the_documentation_gives_agents_the_same() {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/native/jibri-group.yaml");
    // Not there where the crate is tested as it was published.
    let Ok(template) = fs::read_to_string(template) else {
        return;
    };
    let (_, role) = template
        .split_once("PolicyName: jibri-scaler-agent")
        .unwrap();
    let (role, _) = role.split_once("InstanceProfile:").unwrap();
    let mut given: Vec<_> = role
        .split_whitespace()
        .filter(|word| {
            word.starts_with("autoscaling:")
                || word.starts_with("cloudwatch:P")
                || word.starts_with("cloudwatch:G")
        })
        .collect();
    given.sort_unstable();
    let of_agents = CALLS.iter().filter(|call| call.roles.contains(&Agent));
    let mut listed: Vec<_> = of_agents.map(|call| call.action).collect();
    listed.sort_unstable();
    assert_eq!(given, listed);
}
