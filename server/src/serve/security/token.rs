//! Making a bearer token: 256 bits from the operating system, shown once; the access file holds their digest alone.

use std::io::Read;

use anyhow::Context;

use super::role::Role;

/// A new token and the entry for the access file.
///
/// # Errors
/// Where the operating system gives no random bytes, a role is unknown, or the name is not allowed.
pub(crate) fn new_token(name: &str, roles: &[String]) -> anyhow::Result<String> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-@".contains(&b));
    anyhow::ensure!(
        plain && (1..=64).contains(&name.len()),
        "a caller's name is 1 to 64 letters, digits, dots, dashes, underscores and @"
    );
    let mut words = Vec::new();
    for role in roles {
        let known = Role::parse(role)
            .ok_or_else(|| anyhow::anyhow!("{role:?} is no role; allowed are ingest, read, operate and override"))?;
        words.push(format!("\"{known}\""));
    }
    let mut bytes = [0_u8; 32];
    let source = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    source.context("the operating system gives no random bytes")?;
    let token: String =
        std::iter::once("cm_".to_owned()).chain(bytes.iter().map(|byte| format!("{byte:02x}"))).collect();
    let digest = blake3::hash(token.as_bytes()).to_hex();
    Ok(format!(
        "# The token, shown this once:\n#   {token}\n[[caller]]\nname = \"{name}\"\nroles = [{}]\n\
         token_blake3 = \"{digest}\"\n# expires = \"2027-01-01T00:00:00Z\"\n# revoked = true\n",
        words.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::new_token;

    #[test]
    fn tokens_differ_and_the_entry_holds_the_digest_alone() {
        let roles = ["read".to_owned()];
        let (first, second) = (new_token("alice", &roles).unwrap(), new_token("alice", &roles).unwrap());
        assert_ne!(first, second);
        let token = first.split_whitespace().find(|word| word.starts_with("cm_")).unwrap();
        let entry: String = first.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(!entry.contains(token) && entry.contains(&blake3::hash(token.as_bytes()).to_hex().to_string()));
        assert!(new_token("a b", &roles).is_err() && new_token("a", &["root".to_owned()]).is_err());
    }
}
