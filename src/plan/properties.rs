//! Properties of plans over random documents.
