//! The service described for machines: OpenAPI 3.1, kept by hand and held to the code by tests.

/// What `GET /api/v1/openapi.json` answers.
pub const OPENAPI: &str = include_str!("openapi.json");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::route::{Call, OPENAPI_PATH, Route};
    use super::*;

    fn document() -> Value {
        serde_json::from_str(OPENAPI).unwrap()
    }

    /// Every word of the code's source between quotes.
    fn quoted(source: &'static str) -> BTreeSet<&'static str> {
        let code = source.split("#[cfg(test)]").next().unwrap();
        code.split('"').collect()
    }

    fn names(object: &Value) -> BTreeSet<&str> {
        object
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect()
    }

    #[test]
    fn it_lists_the_paths_and_methods_that_are_answered_and_no_others() {
        let document = document();
        let described = names(&document["paths"]);
        let calls = Call::ALL.map(|call| {
            let whom = match call {
                Call::Status | Call::EncKeys => "{slave_SAE_ID}",
                Call::DecKeys => "{master_SAE_ID}",
            };
            format!("/api/v1/keys/{whom}/{}", call.name())
        });
        let mut answered: BTreeSet<&str> = calls.iter().map(String::as_str).collect();
        answered.insert(OPENAPI_PATH);
        assert_eq!(described, answered);
        for path in described {
            let route = Route::of(&path.replace(['{', '}'], "")).unwrap();
            let methods: BTreeSet<String> = route
                .methods()
                .iter()
                .map(|method| method.as_str().to_lowercase())
                .collect();
            let mut described = names(&document["paths"][path]);
            described.remove("parameters");
            assert_eq!(described, methods.iter().map(String::as_str).collect());
        }
    }

    #[test]
    fn it_describes_the_members_that_are_read_and_written_and_no_others() {
        let document = document();
        let schemas = &document["components"]["schemas"];
        let body = quoted(include_str!("body.rs"));
        for schema in ["KeyRequest", "KeyIDs"] {
            for member in names(&schemas[schema]["properties"]) {
                let ignored = schemas[schema]["properties"][member]["description"] == "Ignored.";
                assert_ne!(body.contains(member), ignored, "{schema}.{member}");
            }
        }
        let read = [
            "number",
            "size",
            "additional_slave_SAE_IDs",
            "extension_mandatory",
            "key_IDs",
        ];
        for member in read {
            assert!(body.contains(member), "{member} is read");
            let known = [&schemas["KeyRequest"], &schemas["KeyIDs"]]
                .iter()
                .any(|schema| schema["properties"].get(member).is_some());
            assert!(known, "{member} is described");
        }
    }

    #[test]
    fn it_describes_the_parameters_that_are_read_and_no_others() {
        let document = document();
        let mut described = BTreeSet::new();
        for path in document["paths"].as_object().unwrap().values() {
            for operation in [&path["get"], &path["post"]] {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                described.extend(parameters.filter_map(|one| one["name"].as_str()));
            }
        }
        assert_eq!(described, BTreeSet::from(["key_ID", "number", "size"]));
        let body = quoted(include_str!("body.rs"));
        assert!(described.is_subset(&body));
        let longest = &document["components"]["responses"]["ContentTooLarge"]["description"];
        let bytes = super::super::BODY_BYTES_MAX.to_string();
        assert!(longest.as_str().unwrap().contains(&bytes));
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_required_member_exists() {
        fn walk(root: &Value, value: &Value) {
            match value {
                Value::Object(members) => {
                    if let Some(Value::String(reference)) = members.get("$ref") {
                        let pointer = reference.trim_start_matches('#');
                        assert!(root.pointer(pointer).is_some(), "{reference}");
                    }
                    if let (Some(Value::Array(required)), Some(properties)) =
                        (members.get("required"), members.get("properties"))
                    {
                        for name in required {
                            assert!(properties.get(name.as_str().unwrap()).is_some(), "{name}");
                        }
                    }
                    members.values().for_each(|value| walk(root, value));
                }
                Value::Array(values) => values.iter().for_each(|value| walk(root, value)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let document = document();
        walk(&document, &document);
    }
}
