//! What was published of `closemark.v1` stays: `closemark_v1.binpb` is the descriptor that clients were built from.
//!
//! Additions are accepted by running this test once with `CLOSEMARK_ACCEPT_DESCRIPTOR=1`, which writes the file anew
//! where nothing that was there is gone or changed.

use std::collections::BTreeMap;
use std::path::Path;

use prost::Message;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// Everything that a client relies on, by its full name: numbers, types, labels, streams.
fn contract(set: &FileDescriptorSet) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for file in &set.file {
        let package = file.package();
        for message in &file.message_type {
            add_message(&mut all, &format!("{package}.{}", message.name()), message);
        }
        for one in &file.enum_type {
            for value in &one.value {
                all.insert(format!("{package}.{}.{}", one.name(), value.name()), format!("= {}", value.number()));
            }
        }
        for service in &file.service {
            for method in &service.method {
                let stream = |on: bool| if on { "stream " } else { "" };
                let says = format!(
                    "({}{}) returns ({}{})",
                    stream(method.client_streaming()),
                    method.input_type(),
                    stream(method.server_streaming()),
                    method.output_type()
                );
                all.insert(format!("{package}.{}.{}", service.name(), method.name()), says);
            }
        }
    }
    all
}

fn add_message(all: &mut BTreeMap<String, String>, name: &str, message: &DescriptorProto) {
    all.insert(name.to_owned(), "message".to_owned());
    for field in &message.field {
        all.insert(format!("{name}.{}", field.name()), says(field));
    }
    for nested in &message.nested_type {
        add_message(all, &format!("{name}.{}", nested.name()), nested);
    }
}

fn says(field: &FieldDescriptorProto) -> String {
    let presence = if field.proto3_optional() { "optional " } else { "" };
    format!("{presence}{:?} {:?} {} = {}", field.label(), field.r#type(), field.type_name(), field.number())
}

/// What is gone or changed.
fn broken(published: &FileDescriptorSet, now: &FileDescriptorSet) -> Vec<String> {
    let now = contract(now);
    contract(published)
        .into_iter()
        .filter_map(|(name, was)| match now.get(&name) {
            Some(is) if *is == was => None,
            Some(is) => Some(format!("{name} was `{was}`, is `{is}`")),
            None => Some(format!("{name} is gone")),
        })
        .collect()
}

fn current() -> FileDescriptorSet {
    FileDescriptorSet::decode(closemark_proto::FILE_DESCRIPTOR_SET).unwrap()
}

#[test]
fn nothing_that_clients_rely_on_has_changed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("closemark_v1.binpb");
    let published = std::fs::read(&path).unwrap_or_default();
    let published = FileDescriptorSet::decode(published.as_slice()).unwrap();
    let now = current();
    let broken = broken(&published, &now);
    assert!(broken.is_empty(), "breaking changes:\n{}", broken.join("\n"));
    if std::env::var_os("CLOSEMARK_ACCEPT_DESCRIPTOR").is_some() {
        std::fs::write(&path, closemark_proto::FILE_DESCRIPTOR_SET).unwrap();
    } else {
        let added: Vec<String> =
            contract(&now).into_keys().filter(|name| !contract(&published).contains_key(name)).collect();
        assert!(added.is_empty(), "not in closemark_v1.binpb yet (see the head of this file): {}", added.join(", "));
    }
}

#[test]
fn breaking_changes_are_seen() {
    type Break = fn(&mut FileDescriptorSet);
    let breaks: [(&str, Break); 5] = [
        ("is gone", |set| drop(set.file[0].message_type.pop())),
        ("is gone", |set| drop(set.file[0].message_type[0].field.pop())),
        ("was", |set| set.file[0].message_type[0].field[0].number = Some(99)),
        ("was", |set| set.file[0].message_type[0].field[0].set_type(prost_types::field_descriptor_proto::Type::Double)),
        ("was", |set| {
            let service = set.file.iter_mut().find(|file| !file.service.is_empty()).unwrap();
            service.service[0].method[0].client_streaming = Some(!service.service[0].method[0].client_streaming());
        }),
    ];
    for (said, change) in breaks {
        let mut changed = current();
        change(&mut changed);
        let found = broken(&current(), &changed);
        assert!(!found.is_empty() && found.iter().all(|line| line.contains(said)), "{found:?}");
    }
}

/// Walks every declaration; the path of a declaration is how `SourceCodeInfo` names it.
#[test]
fn every_field_value_and_method_is_documented() {
    let files = closemark_proto::FILES.map(|name| format!("closemark/v1/{name}.proto"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let set = protox::compile(&files, [folder]).unwrap();
    let mut count = 0;
    for file in set.file {
        let info = file.source_code_info.clone().unwrap();
        let documented = |path: &[i32]| {
            info.location.iter().any(|place| place.path == path && !place.leading_comments().trim().is_empty())
        };
        let mut check = |path: &[i32], name: String| {
            count += 1;
            assert!(documented(path), "{}: {name} has no comment", file.name());
        };
        for (m, message) in file.message_type.iter().enumerate() {
            check(&[4, m as i32], message.name().to_owned());
            for (f, field) in message.field.iter().enumerate() {
                check(&[4, m as i32, 2, f as i32], format!("{}.{}", message.name(), field.name()));
            }
        }
        for (e, one) in file.enum_type.iter().enumerate() {
            for (v, value) in one.value.iter().enumerate() {
                check(&[5, e as i32, 2, v as i32], value.name().to_owned());
            }
        }
        for (s, service) in file.service.iter().enumerate() {
            for (m, method) in service.method.iter().enumerate() {
                check(&[6, s as i32, 2, m as i32], method.name().to_owned());
            }
        }
    }
    assert!(count > 200, "{count}");
}
