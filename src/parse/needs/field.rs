//! Fields in a task's body: `**Dependencies**: T001, T002`, `- depends_on: [t-01]`, `Files:`, `Status:`, `agent:`.

/// A field that means something to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Field {
    Needs,
    Files,
    Status,
    Parallel,
    Agent,
}

const NAMES: [(&str, Field); 46] = [
    ("dependencies", Field::Needs),
    ("dependency", Field::Needs),
    ("depends on", Field::Needs),
    ("depends_on", Field::Needs),
    ("depends-on", Field::Needs),
    ("depends", Field::Needs),
    ("deps", Field::Needs),
    ("blocked by", Field::Needs),
    ("blocked_by", Field::Needs),
    ("blocked-by", Field::Needs),
    ("prerequisites", Field::Needs),
    ("prerequisite", Field::Needs),
    ("依赖", Field::Needs),
    ("依赖任务", Field::Needs),
    ("依赖关系", Field::Needs),
    ("依賴", Field::Needs),
    ("前置", Field::Needs),
    ("前置任务", Field::Needs),
    ("前置条件", Field::Needs),
    ("依存", Field::Needs),
    ("依存関係", Field::Needs),
    ("依存タスク", Field::Needs),
    ("зависимости", Field::Needs),
    ("зависит от", Field::Needs),
    ("dependencias", Field::Needs),
    ("depende de", Field::Needs),
    ("file", Field::Files),
    ("files", Field::Files),
    ("target_files", Field::Files),
    ("target files", Field::Files),
    ("files to modify", Field::Files),
    ("files to create", Field::Files),
    ("files modified", Field::Files),
    ("files affected", Field::Files),
    ("path", Field::Files),
    ("paths", Field::Files),
    ("文件", Field::Files),
    ("ファイル", Field::Files),
    ("status", Field::Status),
    ("state", Field::Status),
    ("状态", Field::Status),
    ("parallel", Field::Parallel),
    ("parallelizable", Field::Parallel),
    ("parallel?", Field::Parallel),
    ("agent", Field::Agent),
    ("assigned agent", Field::Agent),
];

/// The field a line is, and where its value begins.
pub(in super::super) fn read(line: &str) -> Option<(Field, usize)> {
    let body = line
        .trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '-' | '*' | '+' | '_' | '`' | '•'));
    let start = line.len() - body.len();
    let colon = body.char_indices().take(24).find(|(_, c)| matches!(c, ':' | '：'))?;
    let name = body[..colon.0].trim_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '_' | '`'));
    // `_Requirements: …_` and its kin never match; a name is at most a few words.
    let field = NAMES.iter().find(|(known, _)| equals(name, known))?.1;
    let after = start + colon.0 + colon.1.len_utf8();
    let value = line[after..].trim_start_matches(['*', '_', ' ', '\t']);
    Some((field, line.len() - value.len()))
}

fn equals(name: &str, known: &str) -> bool {
    if name.is_ascii() { name.eq_ignore_ascii_case(known) } else { name.to_lowercase() == known }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_with_any_decoration() {
        let field = |line: &str| read(line).map(|(field, at)| (field, line[at..].to_owned()));
        assert_eq!(field("**Dependencies**: T001, T002"), Some((Field::Needs, "T001, T002".to_owned())));
        assert_eq!(field("  - **Depends on:** T-001"), Some((Field::Needs, "T-001".to_owned())));
        assert_eq!(field("  - depends_on: [`t-01`]"), Some((Field::Needs, "[`t-01`]".to_owned())));
        assert_eq!(field("**依赖任务**：TASK-001"), Some((Field::Needs, "TASK-001".to_owned())));
        assert_eq!(field("  _Requirements: 1.1, 2.3_"), None);
        assert_eq!(field("  - Install core dependencies: fastify"), None);
        assert_eq!(field("- File: src/a.rs"), Some((Field::Files, "src/a.rs".to_owned())));
    }
}
