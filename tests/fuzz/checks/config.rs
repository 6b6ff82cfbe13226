//! Any bytes as a project's `specter.toml` and `.specter/impl-config.json`.
//!
//! Input: the first byte chooses which of the two files the rest is.

use super::{assert_harmless, in_scratch};
use specter::config::{Environment, Invalid, Origin, SETTINGS, Sources, load};
use specter::ui::diagnostics::render;
use specter::ui::theme::Screen;

pub fn check(data: &[u8]) {
    let Some((which, text)) = data.split_first() else { return };
    let name = if which.is_multiple_of(2) { "specter.toml" } else { ".specter/impl-config.json" };
    in_scratch(|dir| {
        let root = dir.join("config");
        std::fs::create_dir_all(root.join(".specter")).unwrap();
        for other in ["specter.toml", ".specter/impl-config.json"] {
            let _ = std::fs::remove_file(root.join(other));
        }
        std::fs::write(root.join(name), text).unwrap();
        let env = Environment::default();
        match load(&Sources { env: &env, root: Some(&root), config: None, overrides: &[] }) {
            Ok(loaded) => {
                for (setting, origin) in SETTINGS.iter().zip(&loaded.origins) {
                    let shown = setting.show(&loaded.config);
                    assert!(!setting.user_only || *origin == Origin::Default, "{}", setting.key);
                    let changed = *origin != Origin::Default;
                    assert!(changed || shown == setting.show(&specter::config::Config::default()));
                }
            }
            Err(Invalid::Findings(findings)) => {
                assert!(!findings.is_empty());
                for finding in findings {
                    let shown = render(&Screen::plain(80), &finding.source, &[finding.diagnostic]);
                    assert_harmless(&shown);
                }
            }
            Err(other) => assert_harmless(&specter::text::safe(&other.to_string())),
        }
    });
}
