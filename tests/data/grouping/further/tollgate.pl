# Takes tolls (Perl, nothing else).
package Toll::Gate;
use strict; use warnings; use Carp qw(croak confess);
sub new { my ($class, %with) = @_; return bless {%with}, $class }
sub lift {
    my ($self, $which) = @_;
    croak "gate $self->{id} does not lift for $ENV{MAIL}" if $which eq 'lift.msg';
    confess "gate $self->{id} lifts $ENV{AMOUNT} cm too high for $ENV{MAIL}";
}
sub drop_bar { my ($self, $which) = @_; $self->lift($which) }
sub pay {
    my ($self, $which) = @_;
    open(my $file, '<', $ENV{FILE}) or die "cannot read tariff $ENV{FILE}: $!\n" if $which eq 'pay';
    my $coins = {};
    $coins->{purse}->count() if $which eq 'pay.type';
    Toll::Purse->count() if $which eq 'pay.func';
    return 7 / ($coins->{cents} // 0) if $which eq 'pay.msg';
    my @rows = @{ $ENV{TEXT} } if $which eq 'pay.ref';
}
sub warn_of { my ($self, $which) = @_; my $x; print STDERR "x" if 0; warn $which eq 'warn.msg' ? "toll of $ENV{UUID} was paid twice" : "toll of $ENV{UUID} is overdue since $ENV{DAY}" }
package main;
my $which = $ARGV[0];
my $gate = Toll::Gate->new(id => $ENV{ID});
my ($family) = split /\./, $which;
$family eq 'lift' ? ($which eq 'lift.func' ? $gate->drop_bar($which) : $gate->lift($which))
    : $family eq 'pay' ? $gate->pay($which) : $gate->warn_of($which);
