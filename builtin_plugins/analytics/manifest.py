"""Who the plugin is."""

from __future__ import annotations

from corehost import ConfigProperty, ConfigSchema, Manifest, PluginDependency

MANIFEST = Manifest(
    id="analytics",
    name="Analytics",
    version="1.0.0",
    description="Counts the messages on the bus by type and time, and shows them as charts.",
    author="corehost",
    icon="graph-up",
    dependencies=(
        PluginDependency(plugin_id="core-ui", version="^1.0.0"),
        PluginDependency(plugin_id="dashboard", version="^1.0.0", optional=True),
    ),
    permissions=("storage:read", "storage:write", "plugins:communicate", "routes:register", "api:expose"),
    config_schema=ConfigSchema(
        properties={
            "retentionDays": ConfigProperty(
                type="number",
                title="Days to keep",
                description="Counts older than this are deleted. Counts by minute are kept for one day in any case.",
                default=30,
                minimum=1,
                maximum=366,
            ),
            "writeInterval": ConfigProperty(
                type="number",
                title="Write interval",
                description="Seconds between two writes to disk; applies when the plugin is next enabled.",
                default=2,
                minimum=0.1,
                maximum=60,
            ),
            "ignore": ConfigProperty(
                type="array",
                title="Types to ignore",
                description="Message types that are not counted; * stands for any run of characters.",
                items={"type": "string", "minLength": 1, "maxLength": 200},
                default=[],
            ),
        }
    ),
    priority=50,
)
