"""The pages: first-party ES modules and styles in `static`, their sentences in `locale`; served by cloud.api.pages."""
