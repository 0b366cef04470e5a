"""Who the plugin is."""

from __future__ import annotations

from corehost import ConfigProperty, ConfigSchema, Manifest

THEMES = ("light", "dark", "auto")
ACCENTS = ("teal", "blue", "violet", "rose", "amber")

MANIFEST = Manifest(
    id="core-ui",
    name="Core UI",
    version="1.0.0",
    description="The shell around every page: navigation, theme, notifications and shared components.",
    author="corehost",
    icon="layout-sidebar",
    priority=1000,
    permissions=("routes:register", "api:expose", "plugins:communicate", "user:read", "user:write"),
    config_schema=ConfigSchema(
        properties={
            "brand": ConfigProperty(
                type="string", title="Name", description="Shown above the navigation.", default="corehost"
            ),
            "accent": ConfigProperty(
                type="string",
                title="Accent colour",
                description="The colour of buttons, links and the active page.",
                enum=ACCENTS,
                default="teal",
            ),
            "defaultTheme": ConfigProperty(
                type="string",
                title="Default theme",
                description="What people see who have not chosen a theme; auto follows the device.",
                enum=THEMES,
                default="auto",
            ),
        }
    ),
)
