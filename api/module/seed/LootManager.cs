using System;
using System.Collections.Generic;
using Newtonsoft.Json;
using Oxide.Core.Libraries.Covalence;

namespace Oxide.Plugins
{
    [Info("Loot Manager", "Corrosion", "1.0.0")]
    [Description("Multiplies, bans and refills the loot of containers")]
    public class LootManager : RustPlugin
    {
        private const string PermissionUse = "lootmanager.use";

        private Settings settings;
        private Timer refill;
        private readonly HashSet<ulong> done = new HashSet<ulong>();
        private int changed;
        private int refilled;

        #region Settings

        private class Settings
        {
            [JsonProperty("Multiplier of everything")]
            public float Multiplier = 1f;

            [JsonProperty("Multipliers by container (short prefab name)")]
            public Dictionary<string, float> Containers = new Dictionary<string, float>
            {
                ["crate_elite"] = 1.5f,
                ["loot-barrel-1"] = 2f,
                ["loot-barrel-2"] = 2f,
            };

            [JsonProperty("Multipliers by item (short name)")]
            public Dictionary<string, float> Items = new Dictionary<string, float> { ["scrap"] = 2f };

            [JsonProperty("Items that never appear (short names)")]
            public List<string> Banned = new List<string>();

            [JsonProperty("Minutes between refills of empty containers (0 = never)")]
            public int RefillMinutes = 0;

            [JsonProperty("Share of the slots from which on refilling rests (0 to 1)")]
            public float RestAtShare = 0.9f;
        }

        protected override void LoadDefaultConfig() => settings = new Settings();

        protected override void LoadConfig()
        {
            base.LoadConfig();
            try
            {
                settings = Config.ReadObject<Settings>() ?? new Settings();
            }
            catch (JsonException e)
            {
                PrintError($"config/LootManager.json cannot be read ({e.Message}); the defaults count until it can");
                settings = new Settings();
                return;
            }
            Check();
            SaveConfig();
        }

        protected override void SaveConfig() => Config.WriteObject(settings, true);

        private void Check()
        {
            if (settings.Multiplier < 0f || settings.Multiplier > 100f)
            {
                PrintWarning($"multiplier of everything {settings.Multiplier} is not within 0 and 100: 1 is used");
                settings.Multiplier = 1f;
            }
            CheckAll(settings.Containers, "container");
            CheckAll(settings.Items, "item");
            if (settings.RefillMinutes < 0)
            {
                PrintWarning("minutes between refills are negative: nothing is refilled");
                settings.RefillMinutes = 0;
            }
            settings.RestAtShare = Math.Min(1f, Math.Max(0f, settings.RestAtShare));
        }

        private void CheckAll(Dictionary<string, float> multipliers, string what)
        {
            foreach (var name in new List<string>(multipliers.Keys))
            {
                if (multipliers[name] >= 0f && multipliers[name] <= 100f)
                    continue;
                PrintWarning($"multiplier of {what} {name} is not within 0 and 100: left out");
                multipliers.Remove(name);
            }
        }

        #endregion

        #region Hooks

        private void Init() => permission.RegisterPermission(PermissionUse, this);

        private void OnServerInitialized()
        {
            if (settings.RefillMinutes > 0)
                refill = timer.Every(settings.RefillMinutes * 60f, RefillEmpty);
        }

        private void Unload()
        {
            refill?.Destroy();
            done.Clear();
        }

        private void OnLootSpawn(LootContainer container)
        {
            if (container == null || container.net == null)
                return;
            // The game fills the container after this hook.
            NextTick(() => Adjust(container));
        }

        private void OnEntityKill(LootContainer container)
        {
            if (container?.net != null)
                done.Remove(container.net.ID.Value);
        }

        #endregion

        #region Loot

        private void Adjust(LootContainer container)
        {
            if (container == null || container.IsDestroyed || container.inventory == null)
                return;
            if (!done.Add(container.net.ID.Value))
                return;
            float ofContainer;
            if (!settings.Containers.TryGetValue(container.ShortPrefabName, out ofContainer))
                ofContainer = 1f;
            foreach (var item in new List<Item>(container.inventory.itemList))
                Adjust(item, ofContainer);
            container.inventory.MarkDirty();
            changed++;
        }

        private void Adjust(Item item, float ofContainer)
        {
            var name = item.info.shortname;
            if (settings.Banned.Contains(name))
            {
                item.RemoveFromContainer();
                item.Remove();
                return;
            }
            float ofItem;
            if (!settings.Items.TryGetValue(name, out ofItem))
                ofItem = 1f;
            // What does not stack stays single: two rifles in one slot would be a fault of the game's own.
            if (item.MaxStackable() <= 1)
                return;
            var amount = (int)Math.Round(item.amount * settings.Multiplier * ofContainer * ofItem);
            item.amount = Math.Max(1, Math.Min(item.MaxStackable(), amount));
        }

        private void RefillEmpty()
        {
            if (BasePlayer.activePlayerList.Count >= ConVar.Server.maxplayers * settings.RestAtShare)
                return;
            foreach (var entity in BaseNetworkable.serverEntities)
            {
                var container = entity as LootContainer;
                if (container == null || container.IsDestroyed || container.inventory == null || !container.inventory.IsEmpty())
                    continue;
                done.Remove(container.net.ID.Value);
                container.SpawnLoot();
                refilled++;
            }
        }

        #endregion

        #region Commands

        [ConsoleCommand("lootmanager.status")]
        private void Status(ConsoleSystem.Arg arg)
        {
            if (!arg.IsAdmin && (arg.Player() == null || !permission.UserHasPermission(arg.Player().UserIDString, PermissionUse)))
            {
                arg.ReplyWith("You may not use this command.");
                return;
            }
            arg.ReplyWith($"Loot Manager {Version}: {changed} containers changed, {refilled} refilled, {settings.Banned.Count} items banned.");
        }

        #endregion
    }
}
