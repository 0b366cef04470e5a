from __future__ import annotations

from corehost import ConfigProperty, ConfigSchema, Manifest, PluginDependency

manifest = Manifest(
    id="dashboard",
    name="Dashboard",
    version="1.0.0",
    description="Main dashboard with customizable widgets",
    author="Your Team",
    icon="dashboard-icon.svg",
    dependencies=(PluginDependency(plugin_id="core-ui", version="^1.0.0"),),
    permissions=(
        "storage:read",
        "storage:write",
        "plugins:communicate",
        "routes:register",
        # What the specification's manifest forgot:
        "api:expose",
        "user:read",
    ),
    config_schema=ConfigSchema(
        type="object",
        properties={
            "defaultLayout": ConfigProperty(
                type="string",
                title="Default Layout",
                description="The default dashboard layout",
                enum=("grid", "list", "compact"),
                default="grid",
            ),
            "refreshInterval": ConfigProperty(
                type="number",
                title="Refresh Interval",
                description="Data refresh interval in seconds",
                default=30,
            ),
        },
    ),
    priority=100,
    enabled=True,
)
