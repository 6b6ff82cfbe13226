//! The words by which a path is told from other words: extensions, well-known names, usual roots.

/// Extensions that make a single word without `/` a file name; sorted, because every path asks.
#[rustfmt::skip]
pub(super) const EXTENSIONS: &[&str] = &[
    "adoc", "astro", "axaml", "bash", "bat", "c", "cabal", "cc", "cfg", "cjs", "clj", "cmake", "cmd",
    "conf", "cpp", "cs", "cshtml", "csproj", "css", "csv", "dart", "dockerfile", "dtsi", "ejs", "el",
    "env", "erl", "ex", "example", "exs", "fish", "fs", "fsi", "fsproj", "fsx", "gd", "glsl", "go",
    "gradle", "graphql", "h", "hbs", "hcl", "hlsl", "hpp", "hs", "htm", "html", "http", "ico", "ini",
    "ipynb", "j2", "java", "jl", "jpg", "js", "json", "json5", "jsonc", "jsonl", "jsx", "kt", "kts",
    "less", "lock", "lua", "m", "md", "mdx", "mjs", "mk", "ml", "mm", "mts", "ndjson", "nix", "php",
    "pl", "plist", "png", "prisma", "properties", "props", "proto", "ps1", "psd1", "psm1", "py", "pyi",
    "r", "razor", "rb", "resx", "rs", "rst", "sample", "sass", "scala", "scss", "service", "sh",
    "shader", "sln", "snap", "sol", "sql", "storyboard", "svelte", "svg", "swift", "targets", "tf",
    "tfvars", "tmpl", "toml", "tpl", "tres", "ts", "tscn", "tsv", "tsx", "txt", "unity", "uss", "uxml",
    "vb", "vim", "vue", "wasm", "xaml", "xml", "yaml", "yml", "zig", "zsh",
];

/// Files without an extension.
#[rustfmt::skip]
pub(super) const NAMES: &[&str] = &[
    "Dockerfile", "Makefile", "Justfile", "justfile", "Procfile", "Gemfile", "Rakefile", "Vagrantfile",
    "Jenkinsfile", "CMakeLists.txt", "LICENSE", "CODEOWNERS", "Pipfile", "Podfile", "Brewfile",
    "Caddyfile",
];

/// First parts that say `a/b` is a path and not an alternative such as `read/write`.
#[rustfmt::skip]
pub(super) const ROOTS: &[&str] = &[
    "src", "app", "apps", "lib", "libs", "test", "tests", "spec", "specs", "docs", "doc", "packages",
    "backend", "frontend", "server", "client", "api", "web", "scripts", "script", "config", "configs",
    "public", "assets", "components", "pages", "internal", "cmd", "pkg", "crates", "examples",
    "migrations", "contracts", "features", "tools", "bin", "infra", "deploy", "templates", "services",
    "models", "db", "e2e", "styles", "types", "utils", "hooks", "modules", "resources", "benches",
    "fixtures", "android", "ios", "mobile",
];

/// Roots that are words of prose as well.
#[rustfmt::skip]
pub(super) const VAGUE: &[&str] = &[
    "test", "spec", "doc", "tools", "resources", "api", "web", "types", "client", "server", "db",
    "models", "services",
];

/// Absolute places that are files and no routes.
#[rustfmt::skip]
pub(super) const ABSOLUTE: &[&str] = &[
    "/etc/", "/usr/", "/opt/", "/home/", "/tmp/", "/var/", "/root/", "/Users/", "/mnt/", "/media/",
    "/dev/", "/proc/", "/srv/", "/abs/",
];

/// Whether files of this extension are common; letters in any case.
pub(super) fn is_known(extension: &str) -> bool {
    if extension.bytes().any(|b| b.is_ascii_uppercase()) {
        return EXTENSIONS.binary_search(&extension.to_ascii_lowercase().as_str()).is_ok();
    }
    EXTENSIONS.binary_search(&extension).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_sorted_for_the_search() {
        assert!(EXTENSIONS.is_sorted());
        assert!(is_known("rs") && is_known("TSX") && !is_known("length"));
    }
}
