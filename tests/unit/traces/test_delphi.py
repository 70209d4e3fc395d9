"""Bug reports of Delphi and Free Pascal: madExcept, EurekaLog, JclDebug, the run-time of Free Pascal."""

from tests.support.printed_traces import outline, read

MAD_EXCEPT = """date/time          : 2019-05-24, 00:36:44, 58ms
computer name      : WS1
executable         : app.exe
exception number   : 1
exception class    : EAccessViolation
exception message  : Access violation at address 0040E235 in module 'app.exe'. Read of address FFFFFFFF.

main thread ($16a0):
0040e235 app.exe System                  TObject.Free
7ff932d2 +238 dbghelp.dll                             StackWalkEx
00d38f32 app.exe exportgrid      563 +40 TfrmExportGrid.btnOKClick
006a20b1 app.exe Vcl.Controls            TControl.Click
100073b1 libpq.dll

thread $1a34:
77a2 ntdll.dll NtWait
"""
EUREKA = """Exception:
----------------------------------------------------
  2.2 Address       : 005CBFB4
  2.5 Type          : EDatabaseError
  2.6 Message       : cart 5 is gone.

Call Stack Information:
---------------------------------------------------------------------
|Address |Module      |Unit    |Class       |Procedure/Method|Line  |
---------------------------------------------------------------------
|*Exception Thread: ID=9984; Parent=0; Priority=0                   |
|Class=; Name=MAIN                                                  |
|-------------------------------------------------------------------|
|005CBFB4|Project4.exe|Unit4   |TForm4      |Button1Click    |28[1] |
|74658A61|user32.dll  |user32  |            |DispatchMessageW|      |
|005C16FF|Project4.exe|Forms   |TApplication|ProcessMessage  |      |
---------------------------------------------------------------------
"""
JCL = """EAccessViolation: no cart 5
-------- Stack list, generated 05.08.2024 16:29:46
[0000000000EED5C9]{Shop.exe} cCart.TCart.Total (Line 335, "cCart.pas" + 25)
[00007FFE10DF292F]{ntdll.dll   } Unknown function at __chkstk
[000000000090E278]{Shop.exe} JclDebug.JclCreateStackList + $48
[0000000000EED5CA]{Shop.exe} cWeb.TWeb.Show (Line 12, "cWeb.pas" + 2)
"""
FREE_PASCAL = """An unhandled exception occurred at $00000000004010A4:
ELost: cart 5 is gone
  $00000000004010A4  TOTAL,  line 5 of cart.pas
  $0000000000411451
  $0000000000401188  RUN,  line 6 of cart.pas
  $000000000043B9B1  WNDPROC,  line 2287 of include/control.inc

"""


def test_report_of_mad_except_is_parsed_from_its_labels_on():
    trace = read(MAD_EXCEPT)

    assert outline(MAD_EXCEPT) == [("EAccessViolation", ["TfrmExportGrid.btnOKClick"])]
    assert [frame.function for frame in trace.errors[0].frames][-1] == "TObject.Free"
    assert MAD_EXCEPT[trace.start :].startswith("exception class ")
    assert MAD_EXCEPT[: trace.end].endswith("libpq.dll")


def test_table_of_eureka_log_is_parsed():
    assert outline(EUREKA) == [("EDatabaseError", ["TForm4.Button1Click"])]
    assert read(EUREKA).errors[0].message == "cart 5 is gone."


def test_columns_of_eureka_log_are_found_by_their_titles():
    text = EUREKA.replace("|Address |", "|Methods |Details|Stack   |Address |").replace(
        "|005CBFB4|", "|+FFFE004|03     |0018F8F0|005CBFB4|"
    )

    assert outline(text) == [("EDatabaseError", ["TForm4.Button1Click"])]


def test_stack_list_of_jcl_is_parsed():
    assert outline(JCL) == [("EAccessViolation", ["TWeb.Show", "TCart.Total"])]


def test_trace_of_free_pascal_is_parsed():
    assert outline(FREE_PASCAL) == [("ELost", ["run", "total"])]
