//! The README's reference is the schema's own description; `CLOSEMARK_BLESS=1` writes it anew.

use std::path::Path;

use closemark_data::publication::schema::{TABLES, markdown};

#[test]
fn the_readme_describes_every_published_column() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let mut readme = std::fs::read_to_string(&path).unwrap();
    for table in TABLES {
        let (open, close) = (format!("<!-- columns of {} -->\n", table.file), "<!-- end of columns -->");
        let start = readme.find(&open).unwrap_or_else(|| panic!("{} is not described", table.file)) + open.len();
        let end = start + readme[start..].find(close).unwrap();
        let described = format!("\n{}\n", markdown(table));
        if readme[start..end] != described && std::env::var_os("CLOSEMARK_BLESS").is_some() {
            readme.replace_range(start..end, &described);
            std::fs::write(&path, &readme).unwrap();
        } else {
            assert_eq!(readme[start..end], described, "{}", table.file);
        }
    }
}
