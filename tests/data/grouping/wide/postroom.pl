# Sorts letters (Perl, nothing else).
use strict;
use warnings;

package Postroom::Bag;
use Carp qw(croak confess carp cluck);

sub new { my ($class, $which) = @_; return bless { which => $which }, $class }

sub stamp {
    my ($self, $letter) = @_;
    confess "letter $letter to $ENV{MAIL} has no stamp" if $self->{which} eq "stamp";
    confess "letter $letter to $ENV{MAIL} was returned" if $self->{which} eq "stamp.msg";
    return $self->weigh($letter);
}

sub weigh { my ($self, $letter) = @_; confess "letter $letter to $ENV{MAIL} has no stamp" }

sub send_off {
    my ($self) = @_;
    croak "bag $ENV{CODE} is locked" if $self->{which} eq "send";
    croak "bag $ENV{CODE} is empty" if $self->{which} eq "send.msg";
    die "bag $ENV{CODE} weighs $ENV{AMOUNT} kg\n" if $self->{which} eq "send.type";
    die "bag $ENV{CODE} weighs $ENV{AMOUNT} kg";
}

sub count {
    my ($self) = @_;
    my $missing;
    return $missing->deliver if $self->{which} eq "count";
    return $self->deliver if $self->{which} eq "count.msg";
    return 1 / ($self->{none} // 0) if $self->{which} eq "count.type";
    open(my $file, "<", $ENV{FILE}) or die "Cannot open $ENV{FILE}: $!";
}

package main;
my $which = $ARGV[0];
my $bag = Postroom::Bag->new($which);
if ($which =~ /^stamp/) { $bag->stamp($ENV{ID}) }
elsif ($which =~ /^send/) { $bag->send_off }
else { $bag->count }
