"""Who the plugin is."""

from __future__ import annotations

from corehost import Manifest, PluginDependency

MANIFEST = Manifest(
    id="settings",
    name="Settings",
    version="1.0.0",
    description="A form for each plugin's settings, and the list of plugins with a switch for each.",
    author="corehost",
    icon="gear",
    dependencies=(PluginDependency(plugin_id="core-ui", version="^1.0.0"),),
    permissions=("host:configure", "plugins:communicate", "routes:register", "api:expose", "user:read"),
    priority=90,
)
