"""Who the plugin is."""

from __future__ import annotations

from corehost import ConfigProperty, ConfigSchema, Manifest, PluginDependency

MANIFEST = Manifest(
    id="dashboard",
    name="Dashboard",
    version="1.0.0",
    description="Main dashboard with customizable widgets",
    author="corehost",
    icon="speedometer2",
    dependencies=(PluginDependency(plugin_id="core-ui", version="^1.0.0"),),
    permissions=(
        "storage:read",
        "storage:write",
        "plugins:communicate",
        "routes:register",
        "api:expose",
        "user:read",
    ),
    config_schema=ConfigSchema(
        properties={
            "defaultLayout": ConfigProperty(
                type="string",
                title="Default layout",
                description="How the dashboard is laid out for users who have not arranged it themselves.",
                enum=("grid", "list", "compact"),
                default="grid",
            ),
            "refreshInterval": ConfigProperty(
                type="number",
                title="Refresh interval",
                description="Data refresh interval in seconds.",
                default=30,
                minimum=5,
                maximum=3600,
            ),
        }
    ),
    priority=100,
    enabled=True,
)
