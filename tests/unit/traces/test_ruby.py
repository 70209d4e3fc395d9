"""Backtraces of Ruby and Rails: chains, blocks, views."""

from tests.support.printed_traces import outline, read

RUBY = """E, [2026-11-22T17:03:19 #4711] ERROR -- : job failed
/srv/shop/lib/store.rb:73:in `rescue in block in import': row "a" rejected (Store::ImportError)
\tfrom /srv/shop/lib/store.rb:69:in `each'
\tfrom /srv/shop/lib/store.rb:69:in `import'
\tfrom /usr/lib/ruby/3.1.0/bundler.rb:1:in `run'
/srv/shop/lib/store.rb:65:in `Integer': invalid value (ArgumentError)
\tfrom /srv/shop/lib/store.rb:71:in `block (2 levels) in import'
"""


def test_chains_and_blocks_are_parsed():
    assert outline(RUBY) == [("ArgumentError", ["import", "Integer"]), ("Store::ImportError", ["import", "each"])]
    assert outline(RUBY.replace("`", "'").replace("in 'import", "in 'Store::Row#import")) == outline(RUBY)


def test_message_of_several_lines_is_its_first_line():
    """Since 3.1 Ruby prints source code after the message. A logger may put both in parentheses."""
    text = """NoMethodError (undefined method `size' for nil:NilClass

      when "hall" then nil.size
                          ^^^^^):

lib/choir.rb:36:in `hall'
lib/choir.rb:50:in `<main>'
"""

    assert outline(text) == [("NoMethodError", ["<main>", "hall"])]
    assert read(text).errors[0].message == "undefined method `size' for nil:NilClass"


def test_report_of_rails_is_parsed():
    text = (
        "An error occurred in carts#show:\n\n  NoMethodError (undefined method `[]' for nil:NilClass):\n\n"
        "app/decorators/cart_decorator.rb:18:in `total'\n"
        "app/views/carts/show.html.haml:31:in `block in _app_views_carts_show_html_haml___5538924064_90792154'\n"
        "actionview (4.2.9) lib/action_view/template.rb:145:in `render'\n"
    )

    assert outline(text) == [("NoMethodError", ["_app_views_carts_show_html_haml", "total"])]


def test_view_without_a_method_is_a_frame():
    text = "ActionView::Template::Error (no 5):\n    1: <b>\n\napp/views/{}.html.erb:4\napp/web.rb:18:in `show'"

    assert [frame.file for frame in read(text.format("a/b")).errors[0].frames] == ["web.rb", "a/b.html.erb"]
