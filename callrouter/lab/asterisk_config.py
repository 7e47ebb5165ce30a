"""The configuration of the laboratory's Asterisk, as texts by file name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from callrouter.lab.console import LAB_USER
from callrouter.lab.install import Install
from callrouter.lab.ports import Slot

# Modules used by callrouter, its tests and the comparison with app_queue; none of them listens.
_MODULES = """
pbx_config
res_timing_timerfd res_pjproject res_sorcery_config res_sorcery_memory res_sorcery_astdb
res_rtp_asterisk res_musiconhold res_crypto res_manager_devicestate res_manager_presencestate
res_pjsip res_pjsip_session res_pjsip_sdp_rtp res_pjsip_pubsub res_pjsip_registrar
res_pjsip_authenticator_digest res_pjsip_outbound_authenticator_digest
res_pjsip_endpoint_identifier_user res_pjsip_endpoint_identifier_ip res_pjsip_caller_id
res_pjsip_dtmf_info res_pjsip_refer res_pjsip_rfc3326 res_pjsip_diversion res_pjsip_nat
res_pjsip_header_funcs res_pjsip_path res_pjsip_dlg_options res_pjsip_logger
res_pjsip_one_touch_record_info
chan_pjsip chan_bridge_media
bridge_simple bridge_native_rtp bridge_softmix bridge_holding
bridge_builtin_features bridge_builtin_interval_features
codec_ulaw codec_alaw codec_a_mu codec_gsm codec_resample
format_gsm format_pcm format_sln format_wav
app_bridgewait app_bridgeaddchan app_cdr app_channelredirect app_chanspy app_confbridge
app_controlplayback app_db app_dial app_directed_pickup app_dumpchan app_echo app_exec app_if
app_milliwatt app_mixmonitor app_originate app_page app_playback app_playtones app_queue app_read
app_sayunixtime app_senddtmf app_softhangup app_stack app_transfer app_userevent app_verbose
app_waituntil app_while app_blind_transfer app_attended_transfer
func_base64 func_callerid func_cdr func_channel func_cut func_db func_devstate func_dialgroup
func_dialplan func_evalexten func_export func_extstate func_frame_drop func_global func_groupcount
func_hangupcause func_holdintercept func_json func_lock func_logic func_math func_md5 func_module
func_periodic_hook func_pjsip_aor func_pjsip_contact func_pjsip_endpoint func_presencestate
func_rand func_sha1 func_sorcery func_sprintf func_strings func_talkdetect func_timeout func_uri
func_uuid func_version func_volume
"""

# Without these files Asterisk complains in its log that they are missing.
_EMPTY = ("ccss.conf", "confbridge.conf", "pjproject.conf", "udptl.conf")


@dataclass(frozen=True, slots=True)
class Options:
    """The configuration of one laboratory Asterisk.

    Attributes:
        phones: endpoint names; each is its own user, in context `lab-phones`.
        callers: endpoints that call in from outside, in context `lab-in`.
        carrier: an endpoint that takes calls to `PJSIP/NUMBER@<carrier>`, in context `lab-in`.
        trunk: an endpoint identified by its address, whatever From says, in context `lab-in`; its
            asserted identities are not trusted. Empty: there is none.
        password: the SIP password of every endpoint.
        dialplan: text or file, included into extensions.conf.
        manager: text or file, included into manager.conf.
        lab_in: extra or overriding lines for `[lab-in]`; exact numbers there take precedence over
            the rule that sends every number to `inbound_context`.
        inbound_context: where calls from outside go.
        music: whether there is a music class `default`.
        max_contacts: registrations per phone.
        qualify_s: seconds between OPTIONS to registered phones; 0: never.
        modules: further modules to load.
        pjsip: further lines for pjsip.conf, such as trunks to other servers.
        manager_host: the address at which the manager listens.
        files: further configuration files, text by name (`queues.conf`); also replaces ours.
    """

    phones: tuple[str, ...] = ()
    callers: tuple[str, ...] = ("caller",)
    carrier: str = "carrier"
    trunk: str = ""
    password: str = "lab"
    dialplan: str | Path = ""
    manager: str | Path = ""
    lab_in: str = ""
    inbound_context: str = "callrouter"
    music: bool = True
    max_contacts: int = 1
    qualify_s: int = 0
    modules: tuple[str, ...] = ()
    pjsip: str = ""
    manager_host: str = "127.0.0.1"
    files: tuple[tuple[str, str], ...] = ()


def configuration(
    options: Options, *, install: Install, slot: Slot, folder: Path, run: Path, secret: str
) -> dict[str, str]:
    """Return all configuration files by name, for an instance in `folder` and its socket in `run`.

    Modules that the install lacks are left out. `Options.files` comes last, so it replaces ours.

    Args:
        options: what is wanted.
        install: where modules and music are.
        slot: the ports.
        folder: for everything but the socket.
        run: for the control socket, whose path must be short.
        secret: of the manager user `LAB_USER`, who may only run commands.
    """
    wanted = [*_MODULES.split(), *options.modules]
    present = [name for name in wanted if (install.modules / f"{name}.so").exists()]
    modules = ["[modules]", "autoload=no", *(f"load={name}.so" for name in present)]
    music = options.music and install.moh is not None
    moh = f"[default]\nmode=files\ndirectory={install.moh}\n" if music else "[general]\n"
    texts = {
        "asterisk.conf": _asterisk(install, folder, run),
        "modules.conf": "\n".join([*modules, ""]),
        "logger.conf": "[general]\nqueue_log=yes\n[logfiles]\nfull => notice,warning,error,verbose\n",
        "rtp.conf": f"[general]\nrtpstart={slot.rtp_first}\nrtpend={slot.rtp_last}\n"
        "strictrtp=no\nicesupport=no\n",
        "pjsip.conf": _pjsip(options, slot.sip),
        "manager.conf": _manager(options, slot.ami, secret),
        "extensions.conf": _extensions(options),
        "musiconhold.conf": moh,
        "http.conf": "[general]\nenabled=no\n",
        "features.conf": "[general]\npickupexten=*8\n",
        "queues.conf": "[general]\npersistentmembers=no\n",
        "cdr.conf": "[general]\nenable=no\n",
        "cel.conf": "[general]\nenable=no\n",
        "indications.conf": "[general]\ncountry=us\n[us]\nringcadence = 2000,4000\n"
        "ring = 440+480/2000,0/4000\nbusy = 480+620/500,0/500\ncongestion = 480+620/250,0/250\n",
        "acl.conf": "",
        **dict.fromkeys(_EMPTY, "[general]\n"),
    }
    if isinstance(options.dialplan, str):
        texts["lab-dialplan.conf"] = options.dialplan + "\n"
    if isinstance(options.manager, str):
        texts["lab-manager.conf"] = options.manager + "\n"
    return texts | dict(options.files)


def _asterisk(install: Install, folder: Path, run: Path) -> str:
    return f"""[directories](!)
[directories]
astcachedir => {folder}/cache
astetcdir => {folder}/etc
astmoddir => {install.modules}
astvarlibdir => {folder}/var
astdbdir => {folder}/var
astkeydir => {folder}/var
astdatadir => {folder}/data
astagidir => {folder}/var
astspooldir => {folder}/spool
astrundir => {run}
astlogdir => {folder}/log
astsbindir => {folder}/var
[options]
verbose = 3
nocolor = yes
hideconnect = yes
execincludes = no
live_dangerously = no
"""


def _pjsip(options: Options, port: int) -> str:
    parts = [
        "[global]\ntype=global\nendpoint_identifier_order=username,ip\nkeep_alive_interval=0\n",
        f"[lab-udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:{port}\n",
    ]
    for name in options.phones:
        extra = f"callerid={name} <{name}>\ncall_group=1\npickup_group=1\n"
        parts.append(_endpoint(options, name, "lab-phones", extra))
    outside = "trust_id_inbound=yes\ntrust_id_outbound=yes\nsend_pai=yes\n"
    names = dict.fromkeys([*options.callers, options.carrier])
    parts += [_endpoint(options, name, "lab-in", outside) for name in names]
    if options.trunk:
        lines = _endpoint(options, options.trunk, "lab-in", "").splitlines()
        known = (
            f"[{options.trunk}-address]\ntype=identify\nendpoint={options.trunk}\nmatch=127.0.0.1\n"
        )
        parts.append("\n".join([*(line for line in lines if not line.startswith("auth=")), known]))
    return "\n".join([*parts, options.pjsip])


def _endpoint(options: Options, name: str, context: str, extra: str) -> str:
    return f"""[{name}]
type=endpoint
context={context}
transport=lab-udp
disallow=all
allow=ulaw
direct_media=no
rtp_symmetric=yes
dtmf_mode=rfc4733
timers=no
auth={name}
aors={name}
{extra}
[{name}]
type=auth
auth_type=userpass
username={name}
password={options.password}

[{name}]
type=aor
max_contacts={options.max_contacts}
remove_existing=yes
qualify_frequency={options.qualify_s}
"""


def _manager(options: Options, port: int, secret: str) -> str:
    # Our [general] comes first: of two sections with the same name, Asterisk reads the first.
    return f"""[general]
enabled=yes
webenabled=no
bindaddr={options.manager_host}
port={port}
displayconnects=no

[{LAB_USER}]
secret={secret}
deny=0.0.0.0/0.0.0.0
permit=127.0.0.1/255.255.255.255
write=command

#include "{_name(options.manager, "lab-manager.conf")}"
"""


def _extensions(options: Options) -> str:
    inward = f"Goto({options.inbound_context},${{EXTEN}},1)"
    lines = ["[general]", "static=yes", "writeprotect=yes", "autofallthrough=yes", ""]
    lines += ["[lab-in]", options.lab_in]
    # Not "_.", which would also match the special extensions h, i and t.
    lines += [f"exten => {rule},1,{inward}" for rule in ("_X!", "_+X!", "_[a-zA-Z].")]
    lines += ["", "[lab-phones]", *_phone_rules(options.phones)]
    lines += [
        "exten => *8,1,Pickup()",
        "exten => _*8X.,1,Pickup(${EXTEN:2}@lab-phones)",
        f"exten => _0X.,1,Dial(PJSIP/${{EXTEN}}@{options.carrier})",
        f"exten => _+X.,1,Dial(PJSIP/${{EXTEN}}@{options.carrier})",
    ]
    if "[callrouter-codes]" in _content(options.dialplan):
        lines.append("include => callrouter-codes")
    lines += ["", f'#include "{_name(options.dialplan, "lab-dialplan.conf")}"', ""]
    return "\n".join(lines)


def _phone_rules(phones: Iterable[str]) -> Iterable[str]:
    for name in phones:
        yield f"exten => {name},hint,PJSIP/{name}"
        yield f"exten => {name},1,Dial(PJSIP/{name},60)"
        yield " same => n,Hangup(${HANGUPCAUSE})"


def _name(source: str | Path, default: str) -> str:
    return default if isinstance(source, str) else str(source.absolute())


def _content(source: str | Path) -> str:
    return source if isinstance(source, str) else source.read_text()
